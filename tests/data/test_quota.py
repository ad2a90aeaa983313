# SPDX-License-Identifier: Apache-2.0
"""One seller's backlog against a small stream of a real server, from the gateway's HTTP to the operator's round."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest_asyncio
from httpx import ASGITransport, AsyncClient, Response
from nats.errors import TimeoutError as NatsTimeoutError

from cairn.api.platform import Bus as BusSettings
from cairn.api.platform import Platform
from cairn.api.resources import Obj, Ref, ref_of
from cairn.bus.admin import consumer_info
from cairn.bus.connection import Client
from cairn.bus.interface import Message
from cairn.bus.janitor import make_room
from cairn.bus.pack import Pack, Record, digest
from cairn.bus.publish import publish
from cairn.bus.pull import Puller
from cairn.bus.quota import backlog
from cairn.bus.verdict import STALE_SECONDS, Verdict
from cairn.datasets import shipped
from cairn.engine.kind import Io, Observed
from cairn.gateway.app import Gateway
from cairn.gateway.auth import Entrance, Keys
from cairn.gateway.bus import Bus as GatewayBus
from cairn.push import names
from cairn.push.janitor import once
from cairn.push.kind import PushSubscriptionKind
from data.bus import Bus
from unit.gateway.told import KEY, signed
from unit.push import test_plan as subscription

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEAD, WELL = "push.2088.55501.trades", "push.99.1.trades"
ME, OTHER = names.consumer("seller-2088", "orders"), names.consumer("seller-99", "orders")
STREAM, SHARE = 400_000, 0.1
QUOTA = STREAM * SHARE


class Cluster:
    """Has the Secret of `cairn bus init`."""

    def __init__(self, bus: Bus) -> None:
        self._data = {"admin.creds": base64.b64encode(bus.made.admin.encode()).decode()}

    async def get(self, ref: Ref) -> Obj | None:
        return {"metadata": {"name": ref.name}, "data": self._data}


class World:
    """A gateway that serves, and an operator that looks round when it is told to."""

    def __init__(self, bus: Bus, gateway: GatewayBus, http: AsyncClient) -> None:
        self.bus, self.gateway, self._http = bus, gateway, http
        self.now = 0.0
        self.platform = Platform(bus=BusSettings(url=bus.url, seller_share=SHARE))
        self.kind = PushSubscriptionKind(self.platform)
        self.kind.verdict = Verdict(lambda: self.now)
        self._pushed = 0

    async def push(self, subject: str, size: int = 5_000) -> Response:
        """One record of about so many bytes, never the same."""
        _, seller, shop, dataset = subject.split(".")
        self._pushed += 1
        trade = {"tid": self._pushed, "modified": "2026-11-11 00:00:00", "memo": "x" * size}
        body = json.dumps({"trade_fullinfo_get_response": {"trade": trade}}).encode()
        path = f"/v1/push/{seller}/{shop}/{dataset}"
        return await self._http.post(path, content=body, headers=signed(body, path))

    async def round(self) -> None:
        """One of the operator's, as far as the gateway has heard it."""
        await once(Cluster(self.bus), self.platform, self.kind.verdict)
        async with asyncio.timeout(30):
            while self.gateway.full != self.kind.verdict.full:  # noqa: ASYNC110 - it comes over the wire
                await asyncio.sleep(0.02)

    async def fill(self, subject: str) -> int:
        """Push until it is refused; how many were taken."""
        for taken in range(60):
            await self.round()
            answer = await self.push(subject)
            if answer.status_code != 202:
                assert answer.status_code == 503
                return taken
        raise AssertionError("never refused")

    async def told_of(self, seller_id: str) -> list[str]:
        """Conditions of a subscription of this seller, bad when they are there."""
        refs = (subscription.namespace(), subscription.seller(id=seller_id))
        seen = Observed(refs={ref_of(obj): obj for obj in refs})
        found = await self.kind.probe(subscription.push(), seen, cast("Io", Cluster(self.bus)))
        plan = self.kind.plan(
            subscription.push(), subscription.seen(subscription.credentials(), found=dict(found)), NOW
        )
        return [one.type for one in plan.conditions if one.type == "BacklogFull"]


@pytest_asyncio.fixture
async def world(bus: Bus, tmp_path: Path) -> AsyncIterator[World]:
    await bus.prepare((ME, (DEAD,)), (OTHER, (WELL,)), max_bytes=STREAM)
    (tmp_path / "key").write_bytes(KEY + b"\n")
    made: list[World] = []
    gateway = GatewayBus(bus.url, "PUSH", lambda: bus.made.gateway, lambda: made[0].now if made else 0.0)
    keeper = asyncio.create_task(gateway.keep())
    app = Gateway(gateway, Entrance(Keys(tmp_path / "key")), shipped()).application()
    async with AsyncClient(transport=ASGITransport(app), base_url="http://gateway") as http:
        async with asyncio.timeout(30):
            while not gateway.connected:  # noqa: ASYNC110 - it dials by itself
                await asyncio.sleep(0.02)
        made.append(World(bus, gateway, http))
        yield made[0]
    keeper.cancel()
    with suppress(asyncio.CancelledError):
        await keeper


@asynccontextmanager
async def delivered(bus: Bus, consumer: str, count: int) -> AsyncIterator[tuple[Puller, list[Message]]]:
    """So many messages, not acknowledged yet."""
    worker = await bus.connect(consumer, bus.worker_creds(consumer))
    puller = Puller(worker, "PUSH", consumer)
    await puller.start()
    got: list[Message] = []
    while len(got) < count:
        got += await puller.fetch(count - len(got), 2_000_000)
    yield puller, got
    await worker.close()


async def apply(bus: Bus, consumer: str, count: int, *, but: int = 0) -> None:
    """Acknowledge so many but the first few."""
    async with delivered(bus, consumer, count) as (puller, got):
        await puller.acknowledge(got[but:])
        async with asyncio.timeout(30):
            while (await puller.info()).unacknowledged > but:  # noqa: ASYNC110 - the server is asked
                await asyncio.sleep(0.02)


async def store(client: Client, subject: str, count: int, size: int = 5_000, first: int = 0) -> None:
    for number in range(first, first + count):
        payload = f"{subject}-{number}".encode().ljust(size, b"x")
        await publish(client, "PUSH", Pack(subject, 0, [Record(number, 0, 0, digest(payload), payload)]))


async def test_seller_whose_backlog_is_full_is_refused_alone_until_it_is_drained(bus: Bus, world: World) -> None:
    taken = await world.fill(DEAD)
    assert 0.8 * QUOTA < taken * 5_000 < 1.3 * QUOTA
    refused = await world.push(DEAD)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    assert "seller 2088 takes its share of the bus" in refused.json()["error"]
    assert (await world.told_of("2088"), await world.told_of("99")) == (["BacklogFull"], [])
    assert [(await world.push(WELL)).status_code for _ in range(3)] == [202] * 3
    async with delivered(bus, OTHER, 3) as (_, got):
        assert len(got) == 3, "it is on the bus, for whoever reads it"

    await apply(bus, ME, 1)
    await world.round()
    assert (await world.push(DEAD)).status_code == 503, "not below 80 % yet"
    await apply(bus, ME, taken - 1)
    await world.round()
    assert (await world.push(DEAD)).status_code == 202
    assert await world.told_of("2088") == []


async def test_verdict_of_an_operator_that_tells_no_more_refuses_nobody(world: World) -> None:
    await world.fill(DEAD)
    world.now = STALE_SECONDS
    assert (await world.push(DEAD)).status_code == 503
    world.now += 1
    assert (await world.push(DEAD)).status_code == 202


async def test_backlog_is_what_waits_and_not_what_is_applied(bus: Bus) -> None:
    """A seller with much on the bus and nothing behind is no burden: its messages go when the stream fills up."""
    await bus.prepare((ME, (DEAD,)), max_bytes=STREAM)
    gateway, admin = await bus.connect("gateway"), await bus.connect("admin")
    await store(gateway, DEAD, 30)
    await apply(bus, ME, 30)
    assert (await make_room(admin, "PUSH")).purged == 0, "the stream is not full enough"
    assert (await backlog(admin, "PUSH", SHARE)).held == {}
    await store(gateway, DEAD, 4, first=30)
    held = (await backlog(admin, "PUSH", SHARE)).held
    assert 20_000 < held["2088"] < 21_500
    for client in (gateway, admin):
        await client.close()


async def test_backlog_of_what_is_delivered_again_and_again_counts_it_once(bus: Bus) -> None:
    await bus.prepare((ME, (DEAD,)), max_bytes=STREAM)
    gateway, admin = await bus.connect("gateway"), await bus.connect("admin")
    await store(gateway, DEAD, 30)
    await apply(bus, ME, 30)
    await store(gateway, DEAD, 4, first=30)
    async with delivered(bus, ME, 4) as (puller, got):
        for _ in range(30):
            await puller.give_back(got)
            got = await puller.fetch(4, 2_000_000)
    assert 20_000 < (await backlog(admin, "PUSH", SHARE)).held["2088"] < 21_500
    for client in (gateway, admin):
        await client.close()


async def test_backlog_counts_all_behind_a_message_that_is_not_applied(bus: Bus) -> None:
    await bus.prepare((ME, (DEAD,)), max_bytes=STREAM)
    gateway, admin = await bus.connect("gateway"), await bus.connect("admin")
    await store(gateway, DEAD, 30)
    await apply(bus, ME, 30, but=1)
    facts = await consumer_info(admin, "PUSH", ME)
    assert facts is not None
    assert (facts.pending, facts.unacknowledged) == (0, 1)
    assert 150_000 < (await backlog(admin, "PUSH", SHARE)).held["2088"] < 160_000
    for client in (gateway, admin):
        await client.close()


async def test_backlog_counts_what_no_subscription_reads_and_measures_messages(bus: Bus) -> None:
    nobodys = "push.7.1.trades"
    await bus.prepare((ME, (DEAD,)), (OTHER, (WELL,)), max_bytes=STREAM)
    gateway, admin = await bus.connect("gateway"), await bus.connect("admin")
    await store(gateway, nobodys, 20)
    await store(gateway, WELL, 50, size=100)
    quota, held = await backlog(admin, "PUSH", SHARE)
    assert quota == QUOTA
    assert 100_000 < held["7"] < 107_000
    assert 5_000 < held["99"] < 25_000, "many messages, and small ones"
    for client in (gateway, admin):
        await client.close()


async def test_backlog_without_a_stream_is_nothing(bus: Bus) -> None:
    admin = await bus.connect("admin")
    assert await backlog(admin, "PUSH", SHARE) == (0, {})
    await admin.close()


async def test_gateway_hears_verdicts_and_tells_none(bus: Bus, world: World) -> None:
    await world.fill(DEAD)
    gateway = await bus.connect("gateway")
    told = await gateway.subscribe("cairn.backlog")
    await gateway.publish("cairn.backlog", b'{"full": []}')
    await gateway.flush()
    with suppress(NatsTimeoutError):
        raise AssertionError(await told.next_msg(timeout=0.2))
    assert world.gateway.full == {"2088"}
    await gateway.close()
