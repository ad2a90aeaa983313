# SPDX-License-Identifier: Apache-2.0
"""Clocks that are wrong: no row is held for newer than it is, and jdp_modified goes on growing."""

from __future__ import annotations

import asyncio
import signal

import pytest

from cairn.sql.postgresql import Connection
from data.servers import PostgreSQL
from faults.run import Run
from faults.skewed import LIBRARY, environment

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="no libfaketime: apt-get install libfaketime")


@pytest.mark.parametrize("offset", ["-1h", "+1h"])
async def test_worker_with_a_wrong_clock_takes_over(run: Run, offset: str) -> None:
    right = run.worker()
    right.start()
    run.start_load(seed=31)
    await run.accepted(200)
    right.stop(signal.SIGKILL)
    wrong = run.worker(("-m", "faults.skewed", offset, "worker"))
    wrong.start()
    await run.accepted(300)
    wrong.stop(signal.SIGKILL)
    right.start()
    await run.accepted(200)
    await run.judge()


async def test_database_whose_clock_goes_back_an_hour(run: Run, conn: Connection, postgresql: PostgreSQL) -> None:
    run.worker().start()
    run.start_load(seed=32)
    await run.accepted(300)
    before = await conn.fetchval("SELECT max(jdp_modified) FROM sys_info.jdp_tb_trade")
    right = postgresql.as_user
    await asyncio.to_thread(postgresql.stop, signal.SIGQUIT)
    try:
        postgresql.as_user = [*right, "env", *(f"{name}={value}" for name, value in environment("-1h").items())]
        postgresql.start()
        await run.accepted(300)
        await run.judge()
        psql = run.psql()
        ahead = psql.rows(f"SELECT count(*), max(clock_timestamp() AT TIME ZONE 'Asia/Shanghai') < '{before}' FROM"
                          f" sys_info.jdp_tb_trade WHERE jdp_modified > '{before}'")  # fmt: skip
        psql.close()
        assert int(ahead[0][0]) > 0
        assert ahead[0][1] == "t", "the clock was not set back"
    finally:
        await asyncio.to_thread(postgresql.stop, signal.SIGQUIT)
        postgresql.as_user = right
        postgresql.start()
