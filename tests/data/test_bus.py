# SPDX-License-Identifier: Apache-2.0
"""The bus adapter and its rights against a real nats-server."""

from __future__ import annotations

import asyncio
import functools
import time
from pathlib import Path
from typing import Any

import pytest
from nats.errors import TimeoutError as NatsTimeoutError

from cairn.bus.admin import (
    consumer_info,
    delete_consumer,
    ensure_consumer,
    ensure_stream,
    server_problems,
    stream_problems,
)
from cairn.bus.connection import BusError, BusFullError, api, connect
from cairn.bus.credentials import mint_user, new_installation
from cairn.bus.interface import Message
from cairn.bus.janitor import make_room
from cairn.bus.pack import Pack, Record, decode, digest, encode
from cairn.bus.publish import message_id, publish
from cairn.bus.pull import Puller
from cairn.cli.main import main
from cairn.push import names
from data.bus import Bus
from data.servers import free_port

TRADES = "push.2088.55501.trades"
ME = names.consumer("seller-2088", "orders")
OTHER = names.consumer("seller-99", "orders")


def pack(text: str, subject: str = TRADES) -> Pack:
    return Pack(subject, 0, [Record(1, 0, 0, digest(text.encode()), text.encode())])


async def test_ensure_stream_is_safe_and_again_changes_nothing(bus: Bus) -> None:
    client = await bus.connect("admin")
    first = await ensure_stream(client, "PUSH", max_bytes=2**28)
    assert await ensure_stream(client, "PUSH", max_bytes=2**28) == first
    assert abs(first.created - time.time()) < 60
    assert all("nats-server 2." in problem for problem in first.problems)
    grown = await ensure_stream(client, "PUSH", max_bytes=2**29)
    assert grown.max_bytes == 2**29
    await client.close()


async def test_ensure_stream_that_expires_messages_is_mended(bus: Bus) -> None:
    client = await bus.connect("admin")
    unsafe = {"name": "PUSH", "subjects": ["push.*.*.*"], "max_age": 10**9, "discard": "old", "storage": "file"}
    await api(client, "STREAM.CREATE.PUSH", unsafe)
    facts = await ensure_stream(client, "PUSH", max_bytes=2**28)
    assert all("nats-server 2." in problem for problem in facts.problems)
    config = (await api(client, "STREAM.INFO.PUSH"))["config"]
    assert (config["max_age"], config["discard"]) == (0, "new")
    await client.close()


async def test_stream_problems_names_what_somebody_changed_and_changes_nothing(bus: Bus) -> None:
    client = await bus.connect("admin")
    limits = {"max_bytes": 2**28, "replicas": 1}
    assert await stream_problems(client, "PUSH", **limits) == (), "there is none yet"
    await ensure_stream(client, "PUSH", max_bytes=2**28)
    assert await stream_problems(client, "PUSH", **limits) == ()
    config = (await api(client, "STREAM.INFO.PUSH"))["config"]
    await api(client, "STREAM.UPDATE.PUSH", config | {"discard": "old"})
    for _ in range(2):
        assert await stream_problems(client, "PUSH", **limits) == ("stream PUSH: discard is 'old', not 'new'",)
    await client.close()


async def test_ensure_stream_in_memory_is_reported(bus: Bus) -> None:
    client = await bus.connect("admin")
    await api(client, "STREAM.CREATE.PUSH", {"name": "PUSH", "subjects": ["push.*.*.*"], "storage": "memory"})
    facts = await ensure_stream(client, "PUSH", max_bytes=2**28)
    assert "stream PUSH: storage is 'memory', not 'file'" in facts.problems
    await client.close()


async def test_server_problems_of_a_server_that_syncs_lazily_are_told(bus: Bus) -> None:
    system = await bus.connect("system")
    assert all("nats-server 2." in problem for problem in await server_problems(system))
    await system.close()
    bus.server.kill()
    bus.server.config.write_text(bus.server.config.read_text().replace("sync_interval: always", "sync_interval: 2m"))
    bus.server.start()
    system = await bus.connect("system")
    assert "server test: set jetstream.sync_interval to always" in await server_problems(system)
    await system.close()


async def test_connect_to_several_servers_finds_the_one_that_answers(bus: Bus) -> None:
    dead = f"nats://127.0.0.1:{free_port()}"
    for url in (f"{dead},{bus.url}", f"{bus.url}, {dead}"):
        client = await connect(url, lambda: bus.made.admin, "admin")
        assert (await ensure_stream(client, "PUSH", max_bytes=2**28)).max_bytes == 2**28
        await client.close()
    with pytest.raises(BusError, match="no connection to the bus"):
        await connect(f"{dead},{dead}", lambda: bus.made.admin, "admin", patience_seconds=1)


@pytest.mark.parametrize("url", ["nats://127.0.0.1:port", "nats://127.0.0.1:1,nats://127.0.0.1:port", ""])
async def test_connect_to_what_is_no_url_is_an_error_of_the_bus(url: str) -> None:
    with pytest.raises(BusError, match="no connection to the bus"):
        await connect(url, lambda: new_installation().admin, "admin", patience_seconds=1)


async def test_ensure_consumer_keeps_its_place_and_takes_fewer_subjects(bus: Bus) -> None:
    both = ("push.2088.55501.refunds", TRADES)
    await bus.prepare((ME, both))
    gateway, admin = await bus.connect("gateway"), await bus.connect("admin")
    for text in ("a", "b"):
        await publish(gateway, "PUSH", pack(text))
    worker = await bus.connect(ME, bus.worker_creds(ME))
    puller = Puller(worker, "PUSH", ME)
    await puller.start()
    got = await puller.fetch(1, 2_000_000)
    await puller.acknowledge(got)
    await worker.flush()
    assert (await ensure_consumer(admin, "PUSH", ME, both)).filter_subjects == both
    facts = await ensure_consumer(admin, "PUSH", ME, (TRADES,))
    assert (facts.pending, facts.unacknowledged) == (1, 0)
    assert facts.epoch == (await ensure_stream(admin, "PUSH", max_bytes=2**30)).created
    await delete_consumer(admin, "PUSH", ME)
    await delete_consumer(admin, "PUSH", ME)
    assert await consumer_info(admin, "PUSH", ME) is None
    for client in (gateway, admin, worker):
        await client.close()


async def test_ensure_consumer_that_gets_more_subjects_gets_what_they_hold_already(bus: Bus) -> None:
    refunds = "push.2088.55501.refunds"
    await bus.prepare((ME, (TRADES,)))
    gateway, admin = await bus.connect("gateway"), await bus.connect("admin")
    await publish(gateway, "PUSH", pack("early", refunds))
    await publish(gateway, "PUSH", pack("late"))
    await applied(bus, ME, 1)
    facts = await ensure_consumer(admin, "PUSH", ME, (TRADES, refunds))
    assert facts.pending == 2, "the refund was accepted before anybody subscribed to refunds"
    for client in (gateway, admin):
        await client.close()


async def applied(bus: Bus, consumer: str, count: int) -> None:
    """A worker has acknowledged so many messages, and the server knows."""
    worker = await bus.connect(consumer, bus.worker_creds(consumer))
    puller = Puller(worker, "PUSH", consumer)
    await puller.start()
    got: list[Message] = []
    while len(got) < count:
        got += await puller.fetch(count - len(got), 2_000_000)
    await puller.acknowledge(got)
    await worker.flush()
    async with asyncio.timeout(30):
        while (await puller.info()).unacknowledged:  # noqa: ASYNC110 - the server is asked
            await asyncio.sleep(0.02)
    await worker.close()


async def test_make_room_drops_what_all_consumers_have_applied_and_nothing_else(bus: Bus) -> None:
    nobodys = "push.99.1.trades"
    await bus.prepare((ME, (TRADES,)), (OTHER, (TRADES,)), max_bytes=100_000)
    gateway, admin = await bus.connect("gateway"), await bus.connect("admin")
    await publish(gateway, "PUSH", pack("nobody's", nobodys))
    for number in range(10):
        await publish(gateway, "PUSH", pack(f"{number}" + "x" * 6000))
    await applied(bus, ME, 8)
    assert (await make_room(admin, "PUSH")).purged == 0, "the other one has applied nothing yet"
    await applied(bus, OTHER, 5)
    room = await make_room(admin, "PUSH")
    assert room.purged == 5
    assert 0.25 < room.share < 0.4
    state = (await api(admin, "STREAM.INFO.PUSH", {"subjects_filter": ">"}))["state"]
    assert state["subjects"] == {TRADES: 5, nobodys: 1}
    facts = await consumer_info(admin, "PUSH", ME)
    assert facts is not None
    assert facts.pending == 2, "what is not applied is still to come"
    assert (await make_room(admin, "PUSH")).purged == 0, "not full enough"
    for client in (gateway, admin):
        await client.close()


async def test_publish_of_the_same_pack_again_puts_it_behind_what_came_between(bus: Bus) -> None:
    """Of one time the content that was accepted last stands, also when it had been there before."""
    await bus.prepare((ME, (TRADES,)))
    gateway, worker = await bus.connect("gateway"), await bus.connect(ME, bus.worker_creds(ME))
    assert [await publish(gateway, "PUSH", pack(text)) for text in "aba"] == [False, False, True]
    puller = Puller(worker, "PUSH", ME)
    await puller.start()
    got: list[Message] = []
    while len(got) < 3:
        got += await puller.fetch(3, 2_000_000)
    assert [decode(message.data).records[0].payload for message in got] == [b"a", b"b", b"a"]
    for client in (gateway, worker):
        await client.close()


async def test_publish_of_a_copy_that_nobody_waits_for_is_dropped(bus: Bus) -> None:
    """Held up on the way while its sender tried again elsewhere: it must not come to stand behind what followed."""
    await bus.prepare((ME, (TRADES,)))
    gateway, admin = await bus.connect("gateway"), await bus.connect("admin")
    for text in ("a", "b"):
        await publish(gateway, "PUSH", pack(text))
    await gateway.publish(TRADES, encode(pack("a")), headers={"Nats-Msg-Id": message_id(pack("a"))})
    await gateway.flush()
    facts = await consumer_info(admin, "PUSH", ME)
    assert facts is not None
    assert facts.pending == 2
    for client in (gateway, admin):
        await client.close()


async def test_publish_into_a_full_stream_is_refused_and_drops_nothing(bus: Bus) -> None:
    await bus.prepare((ME, (TRADES,)), max_bytes=100_000)
    gateway = await bus.connect("gateway")
    stored = 0
    try:
        for number in range(100):
            await publish(gateway, "PUSH", pack(f"{number}" + "x" * 5000))
            stored += 1
    except BusFullError:
        pass
    admin = await bus.connect("admin")
    facts = await consumer_info(admin, "PUSH", ME)
    assert facts is not None
    assert 10 < facts.pending == stored < 30
    await gateway.close()
    await admin.close()


async def test_publish_without_a_stream_or_a_server_is_an_error(bus: Bus) -> None:
    gateway = await bus.connect("gateway")
    with pytest.raises(BusError):
        await publish(gateway, "PUSH", pack("a"), timeout=1)
    bus.server.kill()
    with pytest.raises(BusError):
        await publish(gateway, "PUSH", pack("a"), timeout=1)
    await gateway.close()


async def test_puller_gets_what_was_not_acknowledged_again(bus: Bus) -> None:
    await bus.prepare((ME, (TRADES,)))
    gateway = await bus.connect("gateway")
    for number in range(3):
        await publish(gateway, "PUSH", pack(str(number)))
    worker = await bus.connect(ME, bus.worker_creds(ME))
    puller = Puller(worker, "PUSH", ME)
    facts = await puller.start()
    assert facts.pending == 3
    messages: list[Message] = []
    while len(messages) < 3:
        messages += await puller.fetch(3, 2_000_000)
    assert [message.stream_seq for message in messages] == [1, 2, 3]
    await puller.acknowledge(messages[:1])
    await puller.give_back(messages[1:])
    again: list[Message] = []
    while len(again) < 2:
        again += await puller.fetch(3, 2_000_000)
    assert {message.stream_seq for message in again} == {2, 3}
    assert all(message.redelivered for message in again)
    assert decode(again[0].data).subject == TRADES
    await gateway.close()
    await worker.close()


async def test_puller_that_gives_back_again_and_again_gets_it_every_time(bus: Bus) -> None:
    """Nothing is delivered so often that it is given up."""
    await bus.prepare((ME, (TRADES,)))
    gateway = await bus.connect("gateway")
    await publish(gateway, "PUSH", pack("patient"))
    worker = await bus.connect(ME, bus.worker_creds(ME))
    puller = Puller(worker, "PUSH", ME)
    await puller.start()
    for _ in range(12):
        async with asyncio.timeout(20):
            messages = await puller.fetch(1, 2_000_000)
        await puller.give_back(messages)
    await gateway.close()
    await worker.close()


async def test_puller_after_a_kill_of_the_server_says_so_and_a_new_one_has_all_at_once(bus: Bus) -> None:
    await bus.prepare((ME, (TRADES,)))
    gateway = await bus.connect("gateway")
    worker = await bus.connect(ME, bus.worker_creds(ME))
    puller = Puller(worker, "PUSH", ME)
    await puller.start()
    await publish(gateway, "PUSH", pack("before"))
    await puller.fetch(5, 2_000_000)
    waiting = asyncio.create_task(puller.fetch(5, 2_000_000))
    bus.server.kill()
    bus.server.start()
    with pytest.raises(BusError, match="lost"):
        await asyncio.wait_for(waiting, 30)
    async with asyncio.timeout(30):
        while True:
            try:
                await publish(gateway, "PUSH", pack("after"), timeout=2)
                break
            except BusError:
                await asyncio.sleep(0.1)
        puller = Puller(worker, "PUSH", ME)
        await puller.start()
        got: list[Message] = []
        while len(got) < 2:
            got += await puller.fetch(5, 2_000_000)
    assert [decode(one.data).records[0].payload for one in got] == [b"before", b"after"]
    await gateway.close()
    await worker.close()


async def test_puller_of_a_consumer_made_anew_says_so(bus: Bus) -> None:
    await bus.prepare((ME, (TRADES,)))
    admin, gateway = await bus.connect("admin"), await bus.connect("gateway")
    worker = await bus.connect(ME, bus.worker_creds(ME))
    puller = Puller(worker, "PUSH", ME)
    await puller.start()
    await publish(gateway, "PUSH", pack("a"))
    await puller.fetch(5, 2_000_000)
    waiting = asyncio.create_task(puller.fetch(5, 2_000_000))
    await asyncio.sleep(0)
    await api(admin, "STREAM.DELETE.PUSH")
    await bus.prepare((ME, (TRADES,)))
    with pytest.raises(BusError, match="gone"):
        async with asyncio.timeout(30):
            await waiting
    for client in (admin, gateway, worker):
        await client.close()


async def _denied(client: Any, subject: str, seconds: float = 0.5) -> bool:
    try:
        await client.request(subject, b"{}", timeout=seconds)
    except NatsTimeoutError:
        return True
    return False


@pytest.mark.parametrize(
    "subject",
    [
        TRADES,
        "push.99.1.trades",
        f"$JS.API.CONSUMER.MSG.NEXT.PUSH.{OTHER}",
        f"$JS.API.CONSUMER.INFO.PUSH.{OTHER}",
        f"$JS.ACK.PUSH.{OTHER}.1.1.1.1.1",
        "$JS.API.STREAM.INFO.PUSH",
        "$JS.API.STREAM.MSG.GET.PUSH",
        "$JS.API.DIRECT.GET.PUSH",
        "$JS.API.STREAM.PURGE.PUSH",
        f"$JS.API.CONSUMER.CREATE.PUSH.{ME}",
        "$JS.API.CONSUMER.NAMES.PUSH",
        "cairn.backlog",
        f"_INBOX_{OTHER}.x",
    ],
)
async def test_worker_may_use_its_own_consumer_and_nothing_else(bus: Bus, subject: str) -> None:
    await bus.prepare((ME, (TRADES,)), (OTHER, ("push.99.1.trades",)))
    worker = await bus.connect(ME, bus.worker_creds(ME))
    assert (await Puller(worker, "PUSH", ME).info()).name == ME
    assert await _denied(worker, subject)
    await worker.close()


async def test_worker_hears_neither_records_nor_the_inboxes_of_others(bus: Bus) -> None:
    await bus.prepare((ME, (TRADES,)))
    worker, gateway = await bus.connect(ME, bus.worker_creds(ME)), await bus.connect("gateway")
    heard = []

    async def hear(message: Any) -> None:
        heard.append(message.subject)

    for subject in ("push.>", "_INBOX_gateway.>", ">"):
        await worker.subscribe(subject, cb=hear)
    await worker.flush()
    await publish(gateway, "PUSH", pack("a"))
    await worker.flush()
    assert heard == []
    await worker.close()
    await gateway.close()


async def test_gateway_may_publish_records_and_nothing_else(bus: Bus) -> None:
    await bus.prepare((ME, (TRADES,)))
    gateway = await bus.connect("gateway")
    for subject in (f"$JS.API.CONSUMER.MSG.NEXT.PUSH.{ME}", "$JS.API.STREAM.INFO.PUSH", "other.1.2.3", "cairn.backlog"):
        assert await _denied(gateway, subject)
    assert not await publish(gateway, "PUSH", pack("a"))
    await gateway.close()


async def test_system_user_asks_servers_for_their_settings_and_nothing_else(bus: Bus) -> None:
    system = await bus.connect("system")
    for subject in ("$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.ACCOUNT.PING.CONNZ"):
        assert await _denied(system, subject)
    assert not await _denied(system, "$SYS.REQ.SERVER.PING.JSZ", seconds=20)
    await system.close()


async def test_user_whose_time_is_over_is_refused(bus: Bus) -> None:
    creds = mint_user(bus.made.account_seed, "late", [">"], [">"], expires=int(time.time()) - 5)
    with pytest.raises(BusError):
        await bus.connect("late", creds)


async def test_user_of_another_account_is_refused(bus: Bus) -> None:
    with pytest.raises(BusError):
        await bus.connect("admin", new_installation().admin)


async def test_users_minted_for_a_standing_bus_work_beside_the_old_ones(bus: Bus, tmp_path: Path) -> None:
    old = mint_user(bus.made.account_seed, "gateway", ["push.*.*.*"], ["_INBOX_gateway.>"])  # may not hear the verdict
    await bus.prepare((ME, (TRADES,)))
    seed, out = tmp_path / "account.seed", tmp_path / "users"
    seed.write_text(bus.made.account_seed)
    assert main(["bus", "users", "--account-seed", str(seed), "--out", str(out)]) == 0
    admins = [await bus.connect("admin"), await bus.connect("admin", (out / "admin.creds").read_text())]
    new = await bus.connect("gateway", (out / "user.creds").read_text())
    gateways = [await bus.connect("gateway", old), new]
    heard: asyncio.Queue[tuple[bool, bytes]] = asyncio.Queue()

    async def hear(message: Any, *, is_new: bool) -> None:
        heard.put_nowait((is_new, message.data))

    for number, gateway in enumerate(gateways):
        assert not await publish(gateway, "PUSH", pack(str(number)))
        await gateway.subscribe("cairn.backlog", cb=functools.partial(hear, is_new=gateway is new))
        await gateway.flush()
    for number, admin in enumerate(admins):
        assert (await ensure_stream(admin, "PUSH", max_bytes=2**30)).max_bytes == 2**30
        await admin.publish("cairn.backlog", str(number).encode())
        await admin.flush()
    assert [await asyncio.wait_for(heard.get(), 30) for _ in admins] == [(True, b"0"), (True, b"1")]
    await gateways[0].flush()
    assert heard.empty(), "the old login has the old rights"
    assert await _denied(new, "$JS.API.STREAM.INFO.PUSH")
    for client in (*admins, *gateways):
        await client.close()
