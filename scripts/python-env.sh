#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the directory of the project's virtual environment in the cache; with --make, makes it first if it isn't there.
# It is named after the lock file and the Python version, so that a changed lock makes a new one.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
cache=${CAIRN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn}
python=${PYTHON:-python3}
command -v "$python" >/dev/null || { echo "$python is missing: install Python 3.11 or newer (Debian: python3 python3-venv), or set PYTHON" >&2; exit 3; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$python is older than 3.11: set PYTHON to a newer one" >&2; exit 3; }
tag=$("$python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read() + sys.version.encode()).hexdigest()[:12])' "$top/requirements-dev.lock")
venv=$cache/venv-$tag
echo "$venv"
[ "${1:-}" = --make ] || exit 0
[ -e "$venv/ready" ] && exit 0
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$top/scripts/ensure-debian-packages.sh" --why "to make a virtual environment" python3-venv
fi
rm -rf "$venv"
mkdir -p "$cache"
"$python" -m venv "$venv" >&2
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$top/requirements-dev.lock" >&2
touch "$venv/ready"
