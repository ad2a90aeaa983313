# SPDX-License-Identifier: Apache-2.0
"""One run: load with a known truth, whatever a case does to it, and the verdict when all has come to rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from data.plane import KEY, Plane, Program
from data.servers import until
from faults.oracle.psql import LostError, Psql
from faults.oracle.sender import Load, Sender
from faults.oracle.truth import Truth
from faults.oracle.verdict import judge, unfinished
from faults.oracle.watch import Watch
from faults.proxy import Proxy

PATH = "/v1/push/2088/55501/trades"


@dataclass
class Run:
    """database, bus: the ways that the workers take. The oracle and the gateway go straight."""

    plane: Plane
    database: Proxy = field(init=False)
    bus: Proxy = field(init=False)
    load: Load | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        admin = self.plane.database
        self.place = f"host=127.0.0.1 port={admin.port} user={admin.user} dbname={admin.database} sslmode=require"
        self.database, self.bus = Proxy(admin.port), Proxy(self.plane.bus.server.port)
        self.plane.push = replace(self.plane.push, port=self.database.port)
        self.truth = Truth(self.plane.home / "truth.sqlite")
        self.sender = Sender(self.plane.gateway.port, KEY.encode(), PATH, self.truth)
        self.watch = Watch(self.psql())

    def psql(self) -> Psql:
        return Psql(self.place, self.plane.database.password)

    def worker(self, entry: Iterable[str] = ("-m", "cairn", "worker")) -> Program:
        """Not started yet, by way of the proxies."""
        program = self.plane.worker(entry)
        file = self.plane.home / f"{program.name}.json"
        config: dict[str, Any] = json.loads(file.read_text())
        config["bus"]["url"] = f"nats://127.0.0.1:{self.bus.port}"
        file.write_text(json.dumps(config))
        return program

    def start_load(self, seed: int, **more: Any) -> None:
        self.load = Load(self.sender, seed, **more)

    async def accepted(self, more: int, seconds: float = 30) -> None:
        """So many records more than now."""
        aim = self.truth.count() + more
        await self.until(f"{more} records are accepted", lambda: self.truth.count() >= aim, seconds)

    async def refused(self, more: int = 1) -> None:
        """So many requests more than now were answered with 503."""
        aim = self.sender.answers[503] + more
        await self.until("the gateway refuses", lambda: self.sender.answers[503] >= aim)

    async def unanswered(self) -> None:
        """One request more than now found nobody, or got no answer."""
        aim = self.sender.answers[0] + 1
        await self.until("nobody answers", lambda: self.sender.answers[0] >= aim)

    async def until(self, what: str, condition: Callable[[], bool], seconds: float = 20) -> None:
        """As `until`; the loop runs on."""
        await asyncio.to_thread(until, what, condition, seconds)

    async def judge(self, seconds: float = 45, refused: bool = False) -> None:
        """End the load; all must come to rest by itself; nothing may be wrong then."""
        if self.load is not None:
            await asyncio.to_thread(self.load.end)
        psql = self.psql()
        try:
            await self.plane.drained(seconds)
            if left := await self._unfinished(psql, refused):
                logs = "\n".join(f"{one.name}: {one.log.read_text()[-1500:]}" for one in self.plane.programs)
                raise AssertionError(f"all is acknowledged, and {len(left)} wrong: {left[:8]}\n{logs}")
            await asyncio.to_thread(self.watch.end)
            assert self.truth.count() > 0
            assert self.watch.looks > 3
            wrong = judge(self.truth, psql, self.watch, refused)
            assert not wrong, "\n".join(wrong[:10])
        finally:
            psql.close()

    async def _unfinished(self, psql: Psql, refused: bool) -> list[str]:
        """A session that was open all through the fault may be lost: the next is another."""
        try:
            return await asyncio.to_thread(unfinished, self.truth, psql, refused)
        except LostError:
            return await asyncio.to_thread(unfinished, self.truth, psql, refused)

    def close(self) -> None:
        self.sender.stop.set()
        for proxy in (self.database, self.bus):
            proxy.close()
        self.watch.psql.close()
