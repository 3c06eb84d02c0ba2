#!/bin/sh
# Prints the path of a Python that is new enough and can make virtual environments; says what to install when there is none.
set -eu

for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14; do
    # A name may be a version manager's shim that has nothing behind it, so each is run, not only looked up.
    if "$name" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        command -v "$name"
        exit 0
    fi
done
echo "error: Python 3.11 or newer with its venv module was not found: install it (on Debian: apt-get install python3 python3-venv) or set PYTHON=/path/to/python3" >&2
exit 1
