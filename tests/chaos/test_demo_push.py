# SPDX-License-Identifier: Apache-2.0
"""The demo's sender and oracle around Cairn's own programs, without a cluster, while worker, database and bus die."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from data.plane import KEY, Plane
from data.servers import PostgreSQL

TREE = Path(__file__).resolve().parents[2]
RUN, ORDERS, RATE = 11, 1500, 900


async def program(name: str, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"demo.{name}", *arguments, "--run", str(RUN), stdout=PIPE, stderr=PIPE, cwd=TREE
    )


async def accepted(sender: Process, share: float) -> None:
    """The sender has had this share of its records accepted."""
    assert sender.stdout is not None
    async for line in sender.stdout:
        counts = json.loads(line)
        if counts["accepted"] >= share * counts["total"]:
            return
    raise AssertionError(f"the sender ended before {share:.0%} was accepted")


async def test_demo_everything_dies_once_and_nothing_is_lost(
    plane: Plane, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(KEY)
    worker = plane.worker()
    worker.start()
    sender = await program(
        "sender", "--url", f"http://127.0.0.1:{plane.gateway.port}", "--key-file", str(tmp_path / "key"),
        "--log", str(tmp_path / "log"), "--orders", str(ORDERS), "--rate", str(RATE),
    )  # fmt: skip

    await accepted(sender, 0.2)
    worker.stop(signal.SIGKILL)
    worker.start()
    await accepted(sender, 0.4)
    postgresql.stop()
    postgresql.start()
    await accepted(sender, 0.6)
    plane.bus.server.kill()
    plane.bus.server.start()
    _, complaint = await sender.communicate()
    assert sender.returncode == 0, complaint.decode()
    await plane.drained(60)

    place = f"host=127.0.0.1 port={plane.database.port} user=postgres dbname={plane.database.database} sslmode=require"
    oracle = await program(
        "verify", "--log", str(tmp_path / "log"), "--report", str(tmp_path / "report.json"), "--kills", "3",
        "--psql", f"env PGPASSWORD={plane.database.password} psql '{place}'",
    )  # fmt: skip
    table, complaint = await oracle.communicate()
    report = json.loads((tmp_path / "report.json").read_text())
    assert oracle.returncode == 0, table.decode() + complaint.decode()
    assert report["accepted"] == report["landed"] + report["quarantined"] > 5000
    assert report["quarantined"] == 3
