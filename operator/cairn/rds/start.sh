#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the data directory once, then becomes the server. PostgreSQL's own programs are all it needs of the image.
set -eu
volume=/var/lib/cairn/data
data=$volume/pgdata
trap 'exit 1' INT TERM # as process 1 a shell ignores them otherwise
PATH="/usr/lib/postgresql/$PG_MAJOR/bin:$PATH"

if [ -e "$data" ]; then
  found=$(cat "$data/PG_VERSION" 2>/dev/null || echo unknown)
  if [ "$found" != "$PG_MAJOR" ]; then
    echo "the data is of PostgreSQL $found and spec.version says $PG_MAJOR: set spec.version back" >&2
    exit 1
  fi
else
  # Into another directory first: an interrupted initdb must never look like a database.
  rm -rf "$volume/initdb"
  initdb -D "$volume/initdb" --username=cairn_admin --pwfile=/etc/cairn/admin/password \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --data-checksums --no-instructions
  mv "$volume/initdb" "$data"
  sync "$volume"
fi
chmod 0700 "$data" # the volume's fsGroup may have opened it, which the server refuses
exec postgres -D "$data" -c config_file=/etc/cairn/postgresql/postgresql.conf
