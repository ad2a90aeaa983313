# SPDX-License-Identifier: Apache-2.0
"""A buyer who is to be forgotten: known from then on by digests alone, and left out of every view."""

from __future__ import annotations

from cairn.sql.share.postgresql.masks import erased_digest, normalised

BUYER = """\
INSERT INTO map.erased (shop_id, digest)
SELECT $1::pg_catalog.text, d FROM (
  SELECT {ouid} AS d
  UNION SELECT {omid} FROM map.buyers b WHERE b.shop_id = $1 AND {same}
  UNION SELECT {nick} FROM map.buyers b WHERE b.shop_id = $1 AND {same}
) found WHERE d IS NOT NULL ON CONFLICT DO NOTHING""".format(
    ouid=erased_digest("ouid", "$2::pg_catalog.text"),
    omid=erased_digest("omid", "b.omid"),
    nick=erased_digest("nick", "b.nick"),
    same=f"{normalised('b.ouid')} = {normalised('$2::pg_catalog.text')}",
)
"""$1 the shop, $2 the ouid. What else the platform calls this buyer is erased as well."""

READERS = (
    "SELECT pg_catalog.pg_terminate_backend(a.pid, 5000) FROM pg_catalog.pg_stat_activity a"
    " WHERE a.datname = pg_catalog.current_database() AND a.usename = ANY($1::pg_catalog.text[])"
    " AND a.xact_start IS NOT NULL AND a.pid <> pg_catalog.pg_backend_pid()"
)
"""Those inside a transaction may hold a cursor that still shows the buyer."""
