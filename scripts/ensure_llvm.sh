#!/bin/sh
# Usage: ensure_llvm.sh PYTHON
# Installs a libLLVM with apt where none fits and the user may; what fits is for mitsuba_mei/io/llvm.py to say.
set -eu

choose() {
    "$1" - <<'PYTHON'
import sys

from mitsuba_mei.errors import UserError
from mitsuba_mei.io.llvm import choose_llvm

try:
    choose_llvm()
except UserError as error:
    sys.exit(f"error: {error}")
PYTHON
}

choose "$1" 2>/dev/null && exit 0
if [ -z "${DRJIT_LIBLLVM_PATH:-}" ]; then
    . "$(dirname "$0")/apt.sh"
    # 19 and 22 are tested; then whatever the distribution has.
    apt_install libllvm19 libllvm22 libllvm21 libllvm20 libllvm18 libllvm17 || true
fi
choose "$1" || exit 2
