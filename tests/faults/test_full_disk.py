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


@contextmanager
def standing_on(path: Path, store: Path) -> Iterator[None]:
    """What is in `store`, and all that comes, is on that volume."""
    shutil.copytree(store, path, dirs_exist_ok=True)
    subprocess.run(["mount", "--bind", str(path), str(store)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(store)], check=False)


def fill(path: Path) -> Path:
    """A file that takes all the room there is."""
    filler = path / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], check=False, capture_output=True)
    return filler


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


async def test_disk_of_the_bus_is_full(run: Run) -> None:
    """No 202 for what found no room. The stream stays closed when there is room again: its health says so, and the
    kubelet restarts the server."""
    server, store = run.plane.bus.server, run.plane.bus.server.config.parent / "store"
    server.kill()
    with volume("24m") as path, standing_on(path, store):
        server.start()
        run.worker().start()
        run.start_load(seed=42)
        await run.accepted(200)
        filler = fill(path)
        await run.refused(3)
        filler.unlink()
        assert server.health() == 503, "or nobody would restart it"
        server.kill()
        server.start()
        await run.accepted(200)
        await run.judge()
        server.kill()
