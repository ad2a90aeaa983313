# SPDX-License-Identifier: Apache-2.0
"""The operator is killed at writes of a tenant's whole life, before the server acted and after: it ends the same.

Every seventh write, others before than after; every one with CAIRN_TEST_EVERY_WRITE=1, which takes ten minutes. A kill
between two reads is one after the write before them. Kills between SQL statements are the share engine's tests.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from cairn.api.resources import (
    INTEGRATIONAPP,
    INTEGRATIONTENANT,
    NETWORKPOLICY,
    RESOURCEQUOTA,
    ROLEBINDING,
    SECRET,
    Obj,
    Ref,
)
from cairn.cli.kinds import kinds
from cairn.engine.cluster import Cluster, Request, Response, Transport
from cairn.engine.loop import Engine
from cluster.engine.crashing import Crash, CrashingTransport
from cluster.tenant.estate import Estate, grant, names, request

LOGINS = "SELECT 1 FROM pg_roles WHERE rolcanlogin AND rolname ~ '^u[a-z2-7]{16}[ab]$'"
"""Of apps that may open sessions, on the whole server."""
EVERY_WRITE = "CAIRN_TEST_EVERY_WRITE" in os.environ
FEWEST_WRITES = 50
"""Fewer than this mean that the life below lost a part: look before you lower it."""


class AtWrites(CrashingTransport):
    """Counts writes alone."""

    async def send(self, request: Request) -> Response:
        if request.method == "GET":
            return await self._inner.send(request)
        return await super().send(request)


class Life:
    """A tenant with one app from birth to end, and what stood at each station."""

    def __init__(self, estate: Estate, transport: Transport) -> None:
        self.estate, self.transport = estate, transport
        self.others = 0
        self.tenant = Ref(INTEGRATIONTENANT, estate.namespace, "main")
        self.app = Ref(INTEGRATIONAPP, estate.home("erp-bolt"), "erp-bolt")

    async def run(self, at: int = 0, *, after: bool = False) -> tuple[list[Any], AtWrites]:
        crashing = AtWrites(self.transport, at, after=after)
        self.estate.engine = await self._engine(Cluster(crashing))
        assert self.estate.data
        self.others = len(await self.estate.data.conn.fetch(LOGINS))
        stations = []
        for step in (self._served, self._removed, self._ended):
            await step()
            try:
                await self._work()
            except Crash:
                self.estate.engine = await self._engine(self.estate.cluster)
                await self._work()
            stations.append(await self._state())
        return stations, crashing

    async def _engine(self, cluster: Cluster) -> Engine:
        engine = Engine(kinds(self.estate.platform), cluster, clock=self.estate.clock)
        await engine.resync()
        return engine

    async def _work(self) -> None:
        """Passes over the two until both rest, as their watches would have it."""
        engine = self.estate.engine
        for _ in range(60):
            rests = True
            for key in (self.tenant, self.app):
                rests &= await self._told(key)
            for key in (self.tenant, self.app):
                before = await self.estate.cluster.get(key)
                result = await engine.reconciler.reconcile(key)
                soon = result.after_seconds is not None and result.after_seconds < 1
                rests &= not (result.again or soon) and await self.estate.cluster.get(key) == before
            if rests:
                return
        raise AssertionError("it does not rest")

    async def _told(self, key: Ref) -> bool:
        """What its watch would tell; whether that is no news."""
        live, before = await self.estate.cluster.get(key), self.estate.engine.store.get(key)
        if live is not None:
            self.estate.engine.seen(live)
        elif before is not None:
            self.estate.engine.seen(before, deleted=True)
        return _version(live) == _version(before)

    async def _served(self) -> None:
        apps, accounts = [self.estate.entry("erp-bolt")], [{"name": "boss", "role": "owner"}]
        await self.estate.tenant(apps=apps, accounts=accounts, grants=[grant("erp-bolt")])
        await self.estate.app("erp-bolt", requests=[request()])

    async def _removed(self) -> None:
        live = await self.estate.live(self.app)
        await self.estate.cluster.delete(self.app, uid=live["metadata"]["uid"])

    async def _ended(self) -> None:
        live = await self.estate.live(self.tenant)
        await self.estate.cluster.delete(self.tenant, uid=live["metadata"]["uid"])

    async def _state(self) -> list[Any]:
        found: list[Any] = []
        for where in (self.estate.namespace, self.estate.home("erp-bolt")):
            found += [
                await names(self.estate.cluster, one, where) for one in (ROLEBINDING, NETWORKPOLICY, RESOURCEQUOTA)
            ]
        for ref in (self.tenant, self.app):
            live = await self.estate.cluster.get(ref)
            found.append(_essence(live) if live else None)
        held = await self.estate.cluster.get(Ref(SECRET, self.estate.home("erp-bolt"), "cairn-db"))
        found.append(sorted(held["data"]) if held else None)
        assert self.estate.data
        found.append(len(await self.estate.data.conn.fetch(LOGINS)) - self.others)
        return found


def _version(obj: Obj | None) -> str | None:
    return obj["metadata"]["resourceVersion"] if obj else None


def _essence(obj: Obj) -> Any:
    """What must be the same whatever happened on the way: no uids, times, versions."""
    status = obj.get("status", {})
    conditions = sorted((c["type"], c["status"], c["reason"]) for c in status.get("conditions", []))
    kept = ("state", "granted", "secretName", "credentialGeneration", "tables")
    apps = [{key: one.get(key) for key in kept} for one in status.get("apps", [])]
    return obj["metadata"].get("finalizers", []), conditions, apps


@pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])
async def test_crash_at_every_write_ends_in_the_same_state(
    estate: Estate, transport: Transport, after: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    await estate.contract()
    life = Life(estate, transport)
    await estate.tenant(apps=[estate.entry("erp-bolt")])
    await estate.settle()  # its namespace stays with every life that follows
    expected, counting = await life.run()
    writes = len(counting.calls)
    assert [station[-1] for station in expected] == [1, 0, 0], "the life itself is as it should be"
    points = range(1, writes + 1) if EVERY_WRITE else range(1 + 3 * after, writes + 1, 7)
    different = {}
    for at in points:
        stations, crashing = await life.run(at, after=after)
        assert len(crashing.calls) >= at, "it was struck"
        if stations != expected:
            different[at] = [pair for pair in zip(stations, expected, strict=True) if pair[0] != pair[1]]
    with capsys.disabled():
        print(
            f"\n{len(points)} of {writes} writes of a tenant's life {'answered by nobody' if after else 'never sent'}"
        )
    assert not different
    assert writes >= FEWEST_WRITES
