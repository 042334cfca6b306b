#!/usr/bin/env bash
# Create the Python environment of the tests. Usage: venv.sh DIRECTORY [PYTHON]
set -euo pipefail

directory=$1 python=${2:-python3}
cd "$(dirname "$(realpath "$0")")/.."

"$python" -c 'import ensurepip, venv' 2>/dev/null || tests/install.sh python3-venv
"$python" -m venv "$directory"
"$directory/bin/pip" install --quiet --disable-pip-version-check -r requirements-test.txt
