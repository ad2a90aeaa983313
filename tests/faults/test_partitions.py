# SPDX-License-Identifier: Apache-2.0
"""The network between a worker and everything else: packets vanish in network namespaces (root on Linux)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator

import pytest

from data.plane import Program
from data.servers import PostgreSQL
from faults.netns import Cable
from faults.run import Run

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="network namespaces need root")


@pytest.fixture
def cable(run: Run) -> Iterator[Cable]:
    cable = Cable(run.plane.home)
    try:
        yield cable
    finally:
        cable.close()


def far_worker(run: Run, cable: Cable) -> Program:
    """Not started yet; its servers are at the cable's other end."""
    program = run.plane.worker()
    file = run.plane.home / f"{program.name}.json"
    config = json.loads(file.read_text())
    config["bus"]["url"] = f"nats://localhost:{cable.to_server(run.bus.port)}"
    config["database"]["port"] = cable.to_server(run.database.port)
    file.write_text(json.dumps(config))
    program.entering = cable.entering()
    cable.from_here(program.port)
    return program


async def test_packets_vanish(run: Run, cable: Cable) -> None:
    """Nobody tells the worker. It notices by itself, says so, and does again what was under way."""
    worker = far_worker(run, cable)
    worker.start()
    run.start_load(seed=81)
    await run.accepted(200)
    cable.drop()
    await run.until("the worker notices", lambda: worker.get("/readyz") == 503, 60)
    await run.accepted(200)
    cable.mend()
    await run.judge(90)


async def test_everything_behind_the_partition_was_restarted(run: Run, cable: Cable, postgresql: PostgreSQL) -> None:
    """Half open: when packets flow again, nobody at the other end knows these connections."""
    worker = far_worker(run, cable)
    worker.start()
    run.start_load(seed=82)
    await run.accepted(200)
    cable.drop()
    await asyncio.to_thread(postgresql.stop, signal.SIGQUIT)
    run.plane.bus.server.kill()
    run.bus.cut()
    run.database.cut()
    postgresql.start()
    run.plane.bus.server.start()
    await run.accepted(200)
    cable.mend()
    await run.judge(90)


async def test_line_is_slow_and_loses_packets(run: Run, cable: Cable) -> None:
    worker = far_worker(run, cable)
    worker.start()
    run.start_load(seed=83)
    await run.accepted(100)
    cable.crawl()
    written = worker.metric("cairn_push_applied_rows_total")
    await run.accepted(600)
    await run.until("some get through", lambda: worker.metric("cairn_push_applied_rows_total") > written + 100, 60)
    assert worker.get("/healthz") == 200
    cable.mend()
    await run.judge(90)
