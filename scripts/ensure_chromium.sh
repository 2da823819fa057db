#!/bin/sh
# Usage: ensure_chromium.sh
# Installs Chromium with apt where there is none and the user may: some tests drive it. Never fails: they are skipped
# without.
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
. "$(dirname "$0")/apt.sh"
apt_install chromium || echo "without Chromium, the tests that drive a browser are skipped"
exit 0
