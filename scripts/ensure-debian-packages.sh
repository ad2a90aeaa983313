#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# ensure-debian-packages.sh [--why TEXT] PACKAGE...
# Installs the packages that are missing, after saying which and why. With CAIRN_INSTALL=0 it prints the command
# instead, and where it can't install (not root, not Debian) it says so; both exit with 3.
set -eu
why=
if [ "${1:-}" = --why ]; then
    why=" ($2)"
    shift 2
fi

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

if ! command -v apt-get >/dev/null; then
    echo "not Debian, so not installed here$why: $*" >&2
    exit 3
fi
missing=
for package in "$@"; do
    installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

line="apt-get install -y --no-install-recommends$missing"
if [ "${CAIRN_INSTALL:-1}" = 0 ]; then
    echo "missing$why: $line" >&2
    exit 3
fi
if [ "$(id -u)" != 0 ]; then
    echo "missing$why, needs root: $line" >&2
    exit 3
fi
echo "  installing Debian packages$why:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" >"$log" 2>&1 || {
        tail -20 "$log" >&2
        echo "could not install: $*" >&2
        exit 1
    }
}
apt-get -qq -o DPkg::Lock::Timeout=300 update >/dev/null 2>&1 || true # an index that is there will do

case "$missing" in
*postgresql*)
    # PostgreSQL's packages make and start a cluster unless told not to before the server arrives.
    install postgresql-common
    conf=/etc/postgresql-common/createcluster.conf
    if ! grep -q '^create_main_cluster *= *false' "$conf" 2>/dev/null; then
        echo 'create_main_cluster = false' >>"$conf"
    fi
    ;;
esac
# shellcheck disable=SC2086  # a list of words
install $missing
