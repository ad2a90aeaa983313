# SPDX-License-Identifier: Apache-2.0
"""What any bus must do for worker and gateway, on real servers that are killed. What only one of them does stands in
its own tests."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import pytest_asyncio

from cairn.bus.connection import BusError
from cairn.bus.interface import Message, Publisher, Reader
from cairn.bus.pack import Pack, Record, decode, digest
from data.grounds import FIRST, GROUNDS, SECOND, Ground, Subscription, reader, settled, waiting
from data.plane import TREE
from data.servers import scratch

ROOM = 2_000_000


@pytest.fixture(scope="module", params=sorted(GROUNDS))
def server(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """One for all tests: a broker of Kafka takes seconds to start."""
    home = scratch(str(request.param))
    ground = GROUNDS[request.param](home)
    try:
        yield ground
    finally:
        ground.kill()
        shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture
async def ground(server: Ground) -> Ground:
    server.start()
    await server.prepare()
    return server


def pack(text: str, subscription: Subscription = FIRST) -> Pack:
    return Pack(subscription.subject, 0, [Record(1, 0, 0, digest(text.encode()), text.encode())])


async def send(publisher: Publisher, said: Iterable[str], subscription: Subscription = FIRST) -> None:
    for text in said:
        await publisher.publish(pack(text, subscription))


async def send_at_last(publisher: Publisher, text: str) -> None:
    """To a server that comes back: as the platform does, again and again until it is taken."""
    async with asyncio.timeout(40):
        while True:
            try:
                await publisher.publish(pack(text))
            except BusError:
                await asyncio.sleep(0.1)
            else:
                return


async def take(found: Reader, count: int) -> list[Message]:
    got: list[Message] = []
    async with asyncio.timeout(40):
        while len(got) < count:
            got += await found.fetch(count - len(got), ROOM)
    return got


async def take_until(found: Reader, text: str) -> list[Message]:
    got = await take(found, 1)
    while text not in texts(got):
        got += await take(found, 1)
    return got


def texts(messages: Sequence[Message]) -> list[str]:
    return [decode(message.data).records[0].payload.decode() for message in messages]


def places(messages: Sequence[Message]) -> list[int]:
    return [message.stream_seq for message in messages]


@contextmanager
def dying_reader(told: dict[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join(str(TREE / part) for part in ("operator", "tests/devcluster", "tests"))
    environment = os.environ | {"PYTHONPATH": path}
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "data.dying_reader"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(json.dumps(told).encode())
            process.stdin.close()
            yield process
        finally:
            process.kill()


async def test_what_was_published_is_fetched_in_its_order(ground: Ground) -> None:
    said = [str(number) for number in range(50)]
    async with ground.publisher() as publisher, reader(ground.described(FIRST)) as found:
        await send(publisher, said)
        got = await take(found, 50)
    assert texts(got) == said
    assert places(got) == sorted(set(places(got))), "a later message has a later place"
    assert {message.subject for message in got} == {FIRST.subject}


async def test_what_a_killed_reader_had_goes_to_another_at_the_same_places(ground: Ground) -> None:
    async with ground.publisher() as publisher:
        await send(publisher, "abcde")
    told = {"reader": ground.described(FIRST), "fetch": 5, "acknowledge": 2, "left": 3}
    with dying_reader(told) as process:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            had = json.loads(await asyncio.to_thread(process.stdout.readline))
        process.kill()
        process.wait(10)
    async with reader(ground.described(FIRST)) as found:
        got = await take(found, 3)
        assert await waiting(found) == 3
    assert texts(got) == list("cde"), "what it had acknowledged stays away"
    assert places(got) == had[2:]


async def test_what_is_acknowledged_last_does_not_take_along_what_came_before(ground: Ground) -> None:
    async with ground.publisher() as publisher, reader(ground.described(FIRST)) as found:
        await send(publisher, "abc")
        got = await take(found, 3)
        await found.acknowledge(got[:1])
        await settled(found, 2)
        await found.acknowledge(got[2:])
        await found.drain()
    async with reader(ground.described(FIRST)) as found:
        again = (await take(found, 1))[:1]
    assert (texts(again), places(again)) == (["b"], places(got[1:2]))


async def test_what_is_given_back_comes_again_every_time(ground: Ground) -> None:
    async with ground.publisher() as publisher, reader(ground.described(FIRST)) as found:
        await send(publisher, "a")
        seen = set()
        for _ in range(12):
            got = await take(found, 1)
            seen.update(places(got))
            await found.give_back(got)
    assert len(seen) == 1


async def test_reader_that_was_given_up_says_so_and_the_next_one_has_all_again(ground: Ground) -> None:
    async with ground.publisher() as publisher, reader(ground.described(FIRST)) as found:
        await send(publisher, "ab")
        had = await take(found, 2)
        found.give_up("no longer wanted")
        with pytest.raises(BusError, match="no longer wanted"):
            await found.fetch(1, ROOM)
    async with reader(ground.described(FIRST)) as found:
        assert places(await take(found, 2)) == places(had)


async def test_seller_that_acknowledges_nothing_keeps_no_other_waiting(ground: Ground) -> None:
    async with (
        ground.publisher() as publisher,
        reader(ground.described(FIRST)) as stuck,
        reader(ground.described(SECOND)) as well,
    ):
        await send(publisher, map(str, range(600)))
        await take(stuck, 100)
        for number in range(20):
            await send(publisher, [str(number)], SECOND)
            got = await take(well, 1)
            assert (texts(got), got[0].subject) == ([str(number)], SECOND.subject)
            await well.acknowledge(got)
        await settled(well, 0)
        assert await waiting(stuck) == 600


async def test_lag_is_what_is_not_acknowledged(ground: Ground) -> None:
    before_us = time.time_ns() // 1000
    async with ground.publisher() as publisher, reader(ground.described(FIRST)) as found:
        assert await waiting(found) == 0
        await send(publisher, "abcde")
        after_us = time.time_ns() // 1000
        await settled(found, 5)
        got = await take(found, 5)
        assert await waiting(found) == 5, "fetched is not written"
        await found.acknowledge(got[:3])
        await settled(found, 2)
        await found.acknowledge(got[3:])
        await settled(found, 0)
    stored = [message.stored_us for message in got]
    assert stored == sorted(stored)
    assert before_us - 1000 <= stored[0] <= stored[-1] <= after_us + 1000, "how old the oldest is can be told"


async def test_server_that_was_killed_has_all_that_it_acknowledged_at_the_same_places(ground: Ground) -> None:
    said = [str(number) for number in range(30)]
    async with ground.publisher() as publisher:
        await send(publisher, said)
        async with reader(ground.described(FIRST)) as found:
            had = await take(found, 30)
            await found.acknowledge(had[:10])
            await settled(found, 20)
            epoch = (await found.info()).epoch
        ground.kill()
        ground.start()
        await send_at_last(publisher, "after")
    async with reader(ground.described(FIRST)) as found:
        got = await take_until(found, "after")
        assert (await found.info()).epoch == epoch, "places are of the same stream"
    # that it heard what was acknowledged it may have forgotten: then that comes again, too
    kept = dict(zip(texts(got), places(got), strict=True))
    assert {text: kept.get(text) for text in said[10:]} == dict(zip(said[10:], places(had)[10:], strict=True))
    assert kept["after"] > had[-1].stream_seq


async def test_publish_to_a_server_that_is_down_fails(ground: Ground) -> None:
    async with ground.publisher() as publisher:
        await send(publisher, ["before"])
        ground.kill()
        with pytest.raises(BusError):
            await publisher.publish(pack("nobody has it"))
        ground.start()
        await send_at_last(publisher, "after")
        async with reader(ground.described(FIRST)) as found:
            got = await take_until(found, "after")
    assert texts(got)[0] == "before"


async def test_unsafe_settings_are_named(ground: Ground) -> None:
    assert not await ground.problems()
    for setting, value in ground.unsafe.items():
        await ground.spoil(setting, value)
        assert any(f"{setting} is" in problem for problem in await ground.problems()), setting
