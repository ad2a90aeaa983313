# SPDX-License-Identifier: Apache-2.0
"""How published tables stand: counted as the owner role, in tables that are sound."""

from __future__ import annotations

import asyncpg

from cairn.sql.postgresql import Connection
from cairn.sql.quoting import qualified
from cairn.sql.share.model import Design, Table
from cairn.sql.share.names import own_role, published
from cairn.sql.share.postgresql.base import published_spec
from cairn.sql.share.postgresql.desired import table_digest
from cairn.sql.share.postgresql.facts import Facts
from cairn.sql.share.postgresql.views import keyed, matches
from cairn.sql.share.state import Publication


def count_sql(table: Table) -> str:
    name = qualified(published(table.party), table.name)
    if table.mapping is None:
        return f"SELECT count(*) AS rows, 0 AS mapped, 0 AS conflicts FROM {name} t"
    return (
        "SELECT count(*) AS rows, count(*) FILTER (WHERE b.n = 1) AS mapped,"
        f" count(*) FILTER (WHERE b.n > 1) AS conflicts FROM {name} t LEFT JOIN ({keyed(table.mapping)}) b"
        f" ON {matches(table.mapping)}"
    )


async def publications(conn: Connection, design: Design, facts: Facts) -> dict[str, Publication]:
    """By `<party>.<table>`. Left out: a table that is not as Cairn made it, or that its app has locked."""
    own, found = own_role(design.id), {}
    objects = facts.state.objects
    views = all(f"table map.{name}" in objects for name in ("orders", "buyers"))
    for table in design.tables:
        spec = published_spec(table)
        name = f"table {spec.schema}.{spec.name}"
        if objects.get(name) != table_digest(spec, own) or (table.mapping is not None and not views):
            continue
        try:
            async with conn.transaction(readonly=True):
                await conn.execute(f"SET LOCAL ROLE {own}; SET LOCAL lock_timeout = '1s'")
                row = await conn.fetchrow(count_sql(table))
        except asyncpg.LockNotAvailableError:
            continue
        if row is not None:
            rest = row["rows"] - row["mapped"] - row["conflicts"]
            found[f"{table.party}.{table.name}"] = Publication(row["rows"], row["mapped"], rest, row["conflicts"])
    return found
