#!/bin/sh
# Usage: setup.sh PYTHON VENV
# Makes the virtual environment with the exact versions of constraints.txt, and sees to a fitting libLLVM.
set -eu

python=$1
venv=$2

fail() {
    echo "error: $*" >&2
    exit 2
}

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; }

if ! fits "$python"; then
    for candidate in python3.13 python3.12 python3.11 python3.10; do
        if fits "$candidate"; then
            python=$candidate
            break
        fi
    done
fi
fits "$python" || fail "Python 3.10 or newer is needed, and '$python' is not; name one with make setup PYTHON=python3.11"

if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    # Debian and Ubuntu keep these in a package of their own.
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    . "$(dirname "$0")/apt.sh"
    apt_install "$package" || fail "'$python' cannot make virtual environments; run 'sudo apt-get install $package', then make again"
fi

if ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
    "$python" -m venv --clear "$venv"
fi
echo "installing the packages into $venv, which takes some minutes: torch alone may be gigabytes"
"$venv/bin/python" -m pip install --disable-pip-version-check -c constraints.txt -e '.[test,cluster]'
sh "$(dirname "$0")/ensure_llvm.sh" "$venv/bin/python"
