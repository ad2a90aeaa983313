# SPDX-License-Identifier: Apache-2.0
"""A member of the pool: it runs the workers of those subscriptions whose Leases it holds.

While the API server gives no answer it goes on with what it has: a seller must not wait for it. Should another member
take over meanwhile, both write until the answer comes, and the guard keeps the result right.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from cairn.api.resources import Obj
from cairn.pool import leases, pace
from cairn.pool.assign import Claim
from cairn.pool.child import Child
from cairn.pool.decide import Steps, steps
from cairn.pool.leases import MEMBER, SUBSCRIPTION, Sightings, Slot

log = logging.getLogger(__name__)

ROUND_SECONDS = 3.0


class AwayError(Exception):
    """The API server gave no answer, or refused."""


class Namespace(Protocol):
    """The pool's, on the API server. AwayError where there is no answer."""

    name: str

    async def leases(self) -> list[Obj]:
        """All of them."""

    async def create(self, lease: Obj) -> Obj | None:
        """None where one of this name exists."""

    async def replace(self, lease: Obj) -> Obj | None:
        """None where it was changed meanwhile."""

    async def delete(self, lease: Obj) -> None:
        """This very one."""

    async def secret(self, name: str) -> dict[str, str]:
        """Its data, base64; empty where there is none."""


class Member:
    """`run` is its task and ends after `stop`. uid: of the pod that it is, empty outside of one."""

    def __init__(self, place: Namespace, name: str, uid: str, room: Claim, base: Path) -> None:
        self._place, self._name, self._uid, self._room, self._base = place, name, uid, room, base
        self._sightings = Sightings()
        self._leases: dict[str, Obj] = {}
        self._renewed: dict[str, float] = {}
        self._stopping = asyncio.Event()
        self.children: dict[str, Child] = {}
        self.turned = time.monotonic()
        """When the last round ended, whatever it came to."""
        self.told = False
        """Whether the last round reached the API server."""

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        while not self._stopping.is_set():
            await self._round()
            try:
                async with asyncio.timeout(ROUND_SECONDS):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        await self._leave()

    async def _round(self) -> None:
        await asyncio.gather(*(child.look() for child in self.children.values()))
        try:
            seen = await self._place.leases()
            await self._here(seen)
            await self._act(seen)
            self.told = True
        except AwayError as error:
            self.told = False
            log.warning("the pool goes on as it is: %s", error)
        self.turned = time.monotonic()

    async def _here(self, seen: list[Obj]) -> None:
        """Say that this member lives."""
        mine = next((one for one in seen if one["metadata"]["name"] == self._name), None)
        wanted = mine or leases.member(self._place.name, self._name, self._room, self._name, self._uid)
        wanted = leases.held(wanted, self._name, datetime.now(UTC), {})
        answer = await (self._place.replace(wanted) if mine else self._place.create(wanted))
        if answer is not None:
            seen[:] = [one for one in seen if one is not mine] + [answer]

    async def _act(self, seen: Sequence[Obj]) -> None:
        fresh = self._sightings.look(list(seen), _clock())
        members = {
            one["metadata"]["name"]: leases.claim(one["metadata"].get("annotations") or {})
            for one in seen
            if leases.is_a(MEMBER, one) and one["metadata"]["name"] in fresh
        }
        self._leases = {one["metadata"]["name"]: one for one in seen if leases.is_a(SUBSCRIPTION, one)}
        slots = {name: leases.slot(one) for name, one in self._leases.items()}
        running = {name: child.config for name, child in self.children.items() if child.running}
        await self._do(steps(self._name, members, list(slots.values()), fresh, running), slots)

    async def _do(self, found: Steps, slots: dict[str, Slot]) -> None:
        for name in found.stop:
            self.children[name].stop()
        for name in found.give_up:
            await self._give_up(name)
        for name in found.take:
            if await self._hold(name):
                log.info("%s: taken", name)
                await self._start(slots[name])
        for name in found.start:
            await self._start(slots[name])
        for name, one in slots.items():
            if one.holder == self._name and name not in found.give_up:
                if name in self.children:
                    self.children[name].bound(one.claim.memory)
                await self._renew(one)
        for name in self.children.keys() - slots.keys():
            if not self.children[name].running:
                del self.children[name]

    async def _start(self, slot: Slot) -> None:
        child = self.children.setdefault(slot.name, Child(slot.name, self._base))
        if not child.may_start:
            return
        files = await self._place.secret(slot.name)
        if not files:
            log.warning("%s: no Secret of this name", slot.name)
            return
        try:
            await child.start(slot.config, files, slot.claim.memory)
        except (OSError, ValueError) as error:
            log.warning("%s: not started: %s", slot.name, error)

    async def _renew(self, slot: Slot) -> None:
        child = self.children.get(slot.name)
        ready, restarts = bool(child and child.ready), child.restarts if child else 0
        told = (slot.ready, slot.restarts) == (ready, restarts)
        if not told or time.monotonic() - self._renewed.get(slot.name, 0) > slot.seconds / 3:
            await self._hold(slot.name)

    async def _hold(self, name: str) -> bool:
        """Take or renew. Whoever was quicker has it: the next round tells."""
        child = self.children.get(name)
        notes = {
            leases.READY: str(bool(child and child.ready)).lower(),
            leases.RESTARTS: str(child.restarts if child else 0),
            **pace.notes(name, {one: child.pace for one, child in self.children.items()}, self._room.millicores),
        }
        answer = await self._place.replace(leases.held(self._leases[name], self._name, datetime.now(UTC), notes))
        if answer is None:
            return False
        self._leases[name] = answer
        self._renewed[name] = time.monotonic()
        return True

    async def _give_up(self, name: str) -> None:
        """Only after its worker has ended: the next one need not wait, and never writes beside it."""
        if await self._place.replace(leases.given_up(self._leases[name])) is not None:
            log.info("%s: given up", name)
        self.children.pop(name, None)

    async def _leave(self) -> None:
        """Tell the others first: they take over one by one, as the workers end. Until then each Lease is renewed."""
        try:
            await self._sign_off()
        except AwayError as error:
            log.warning("not signed off: %s", error)
        while self.children:
            for child in self.children.values():
                child.stop()
            await self._one_ends()
            try:
                await self._hand_over()
            except AwayError as error:
                log.warning("not given up: %s", error)
                if not any(child.running for child in self.children.values()):
                    return  # the Leases run out by themselves

    async def _sign_off(self) -> None:
        for lease in await self._place.leases():
            if lease["metadata"]["name"] == self._name:
                await self._place.delete(lease)

    async def _one_ends(self) -> None:
        """Or a round is over."""
        ends = [asyncio.create_task(child.ended()) for child in self.children.values()]
        _, still = await asyncio.wait(ends, timeout=ROUND_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for one in still:
            one.cancel()

    async def _hand_over(self) -> None:
        """What has ended is given up, what still ends is kept from the others."""
        self._leases = {one["metadata"]["name"]: one for one in await self._place.leases()}
        for name, child in list(self.children.items()):
            lease = self._leases.get(name)
            mine = lease is not None and leases.holder(lease) == self._name
            if lease is not None and mine and child.running:
                await self._renew(leases.slot(lease))
            elif mine:
                await self._give_up(name)
            elif not child.running:
                del self.children[name]


def _clock() -> float:
    """Seconds that go on while the machine sleeps, as those of the others do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
