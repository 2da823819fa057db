# Sourced. apt_install PACKAGE...: installs the first of the packages that there is, without ever asking; fails where
# there is no apt, the user may not install, or none of the packages exists.
apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1 && sudo -n true >/dev/null 2>&1; then
        as_root="sudo -n"
    else
        return 1
    fi
    $as_root apt-get update -qq >/dev/null || true # a stale list may do
    for package in "$@"; do
        echo "installing $package"
        if $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$package" >/dev/null 2>&1; then
            return 0
        fi
    done
    return 1
}
