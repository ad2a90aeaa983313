# SPDX-License-Identifier: Apache-2.0
"""Passwords change under load and nobody notices, however often the operator dies on the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from prometheus_client import generate_latest

from cairn.api.resources import EVENT
from cairn.cli.kinds import kinds
from cairn.engine.cluster import Cluster, Transport
from cairn.engine.loop import Engine
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Connection, connect
from cluster.engine.conftest import until
from cluster.engine.crashing import Crash, CrashingTransport
from cluster.tenant.estate import Estate, grant, request
from data.servers import PostgreSQL

ROTATIONS = 100
EVERY, OVERLAP = timedelta(hours=2), timedelta(hours=1)


class Pod:
    """A vendor's pod: it queries without a pause, and takes up a new Secret some time after it was written."""

    def __init__(self, estate: Estate, held: dict[str, str]) -> None:
        self.estate, self.held = estate, held
        self.queries = 0
        self.stopped = False

    async def run(self) -> None:
        held, conn = self.held, await self._connect()
        while not self.stopped:
            if held is not self.held:
                held, (conn, old) = self.held, (await self._connect(), conn)
                old.terminate()
            await conn.fetch(f"SELECT * FROM {held['share-schema']}.trade")
            self.queries += 1
            await asyncio.sleep(0.005)
        conn.terminate()

    async def _connect(self) -> Connection:
        return await connect(self.estate.login(self.held), application="app", timeout=30)


async def test_check_13_a_hundred_rotations_under_load_fail_no_query_and_show_no_password(
    estate: Estate, postgresql: PostgreSQL, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert estate.data
    await estate.data.conn.execute("ALTER SYSTEM SET log_statement = 'all'")
    await estate.data.conn.execute("SELECT pg_reload_conf()")
    await estate.data.trade(1)
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    credentials = {"rotateEvery": "2h", "overlap": "1h"}
    await estate.app("erp-bolt", requests=[request()], credentials=credentials)
    await estate.settle()
    first = await estate.secret("erp-bolt")
    assert first
    held, passwords, generations = first, {first["password"]}, {int(first["generation"])}
    pods = [Pod(estate, held) for _ in range(3)]
    async with asyncio.TaskGroup() as load:
        for pod in pods:
            load.create_task(pod.run())
        for number in range(ROTATIONS):
            estate.clock.ahead += EVERY - OVERLAP if number else EVERY
            if number % 9 == 4:
                await _die(estate, transport, 1 + number // 9, after=bool(number % 2))
            await estate.turn()
            new = await estate.secret("erp-bolt")
            assert new
            assert new["username"] != held["username"], "the two logins take turns"
            passwords.add(new["password"])
            generations.add(int(new["generation"]))
            for pod in pods[: number % 3]:
                pod.held = new  # some read it at once, the others in the overlap's last moment
            await asyncio.sleep(0.02)
            for pod in pods:
                pod.held = new
            await _taken_up(pods)
            estate.clock.ahead += OVERLAP
            await estate.turn()
            with pytest.raises(SqlError):
                await connect(estate.login(held), timeout=5)
            held = new
        for pod in pods:
            pod.stopped = True
    assert len(passwords) == ROTATIONS + 1
    assert max(generations) == ROTATIONS + 1
    assert min(pod.queries for pod in pods) > ROTATIONS, "there was load"
    await estate.settle()
    events = await estate.cluster.list(EVENT, namespace=estate.namespace)
    assert any(event["reason"] == "CredentialsRotated" for event in events)
    audit = await estate.data.conn.fetch("SELECT * FROM audit.log")
    assert sum(row["action"] == "rotate" for row in audit) >= ROTATIONS
    processes = await asyncio.create_subprocess_exec("ps", "-eo", "args", stdout=subprocess.PIPE)
    activity = await estate.data.conn.fetch("SELECT query FROM pg_stat_activity")
    places = {
        "log": caplog.text,
        "events": json.dumps(events),
        "status": json.dumps([await estate.status(), await estate.app_status("erp-bolt")]),
        "metrics": generate_latest().decode(),
        "audit": str(audit),
        "processes": (await processes.communicate())[0].decode(),
        "activity": str(activity),
        "the server's log, every statement": postgresql.log(),
    }
    assert "ALTER ROLE" in places["the server's log, every statement"], "the log has the statements"
    found = [name for name, text in places.items() if any(password in text for password in passwords)]
    assert not found, f"passwords are in {found}"


async def _taken_up(pods: list[Pod]) -> None:
    """Every pod has queried since it was given the new Secret."""
    for pod in pods:
        before = pod.queries
        await until("it queries", _more(pod, before + 2))


def _more(pod: Pod, queries: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return pod.queries >= queries

    return check


async def _die(estate: Estate, transport: Transport, at: int, *, after: bool) -> None:
    """The operator dies at its n-th call of this rotation, and another one takes over."""
    crashing = CrashingTransport(transport, 0, after=after)
    estate.engine = Engine(kinds(estate.platform), Cluster(crashing), clock=estate.clock)
    await estate.engine.resync()
    crashing.strike_in(at)
    with contextlib.suppress(Crash):
        await estate.turn()
    estate.engine = Engine(kinds(estate.platform), estate.cluster, clock=estate.clock)
    await estate.engine.resync()
