#!/usr/bin/env bash
# Install Debian packages, or say what to run. Usage: install.sh PACKAGE...
set -euo pipefail

if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "Missing here: $*. Install it first, on Debian by: sudo apt-get install $*" >&2
    exit 1
fi
echo "Installing $* ..." >&2
apt-get -qq -o Acquire::Check-Valid-Until=false update
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@" >/dev/null
