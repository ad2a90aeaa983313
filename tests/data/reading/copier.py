# SPDX-License-Identifier: Apache-2.0
"""A seller's program, to be killed: `python -m data.reading.copier FILE`. Keeps what it saw in erp.seen.

A row handled twice breaks the key of erp.seen and ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from cairn.reader.follow import Connection, Reader
from cairn.reader.statements import Source
from cairn.sql.postgresql import Target, tls_context

TRADES = Source("sys_info.jdp_tb_trade", "tid", "jdp_tb_trade", "erp", limit=50)


def session(target: Target) -> Any:
    """The program connects as any program does: not with the code that is under test."""
    return asyncpg.connect(
        host=target.address,
        port=target.port,
        database=target.database,
        user=target.user,
        password=target.password,
        ssl=tls_context(target),
        timeout=5,
        command_timeout=20,
    )


async def keep(conn: Connection, rows: Sequence[Any]) -> None:
    seen = [(row["tid"], row["jdp_seq"] or 0, row["jdp_hashcode"]) for row in rows]
    await conn.executemany("INSERT INTO erp.seen VALUES ($1, $2, $3)", seen)


async def main(given: dict[str, Any]) -> None:
    target = Target(**given | {"ca": given["ca"].encode()})
    await Reader(lambda: session(target), TRADES, "copier", keep).run()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
