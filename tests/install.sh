#!/usr/bin/env bash
# Install Debian packages, or print the command for it. Usage: install.sh PACKAGE...
set -euo pipefail

if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "Not installed: $*. On Debian, run: sudo apt-get install $*" >&2
    exit 1
fi
echo "Installing $* ..." >&2
apt-get -qq -o Acquire::Check-Valid-Until=false update
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@" >/dev/null
