# SPDX-License-Identifier: Apache-2.0
"""Volumes that are really full (root on Linux): a small tmpfs under the table."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cairn.sql.postgresql import Connection
from data.servers import PostgreSQL, scratch
from faults.run import Run

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="mounts need root")


@contextmanager
def volume(size: str) -> Iterator[Path]:
    path = scratch("volume")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False)
        shutil.rmtree(path, ignore_errors=True)


def grow(path: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=512m", str(path)], check=True)


async def test_disk_of_the_table_is_full(run: Run, conn: Connection, postgresql: PostgreSQL) -> None:
    with volume("3m") as path:
        shutil.chown(path, postgresql.owner, postgresql.owner)
        await conn.execute(f"CREATE TABLESPACE small LOCATION '{path}'")
        await conn.execute("ALTER TABLE sys_info.jdp_tb_trade SET TABLESPACE small")
        try:
            worker = run.worker()
            worker.start()
            run.start_load(seed=41, keys=3000)
            await run.until("full", lambda: worker.metric("cairn_push_errors_total", code="53100") > 0, 60)
            await run.accepted(300)
            assert (worker.get("/readyz"), worker.get("/healthz")) == (503, 200)
            grow(path)
            await run.judge()
            assert worker.metric("cairn_push_quarantined_total", reason="ROW_REFUSED") == 0
        finally:
            with contextlib.suppress(Exception):
                await conn.execute("ALTER TABLE sys_info.jdp_tb_trade SET TABLESPACE pg_default")
                await conn.execute("DROP TABLESPACE small")
