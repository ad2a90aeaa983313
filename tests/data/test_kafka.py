# SPDX-License-Identifier: Apache-2.0
"""What of the bus's contract is Kafka's own, on a real broker."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator

import pytest
import pytest_asyncio

from cairn.bus.connection import BusError
from cairn.bus.kafka.admin import Admin
from cairn.bus.kafka.connection import client_config
from cairn.bus.pack import Pack, Record, decode, digest
from data.grounds import FIRST, SECOND, Kafka, reader, settled, waiting
from data.servers import scratch

ROOM = 2_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Kafka]:
    home = scratch("kafka")
    ground = Kafka(home)
    try:
        yield ground
    finally:
        ground.kill()
        shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture
async def kafka(server: Kafka) -> Kafka:
    server.start()
    await server.prepare()
    return server


def pack(text: str, subject: str = FIRST.subject) -> Pack:
    return Pack(subject, 0, [Record(1, 0, 0, digest(text.encode()), text.encode())])


async def test_what_of_the_sellers_is_another_subscriptions_is_passed_over_and_done(kafka: Kafka) -> None:
    async with kafka.publisher() as publisher, reader(kafka.described(FIRST)) as found:
        for number in range(5):
            await publisher.publish(pack(f"other {number}", "push.2088.55501.items"))
        await publisher.publish(pack("mine"))
        async with asyncio.timeout(40):
            got = await found.fetch(10, ROOM)
        assert [decode(message.data).records[0].payload for message in got] == [b"mine"]
        await settled(found, 1)
        await found.acknowledge(got)
        await settled(found, 0)


async def test_what_would_not_fit_into_the_room_stays_for_later(kafka: Kafka) -> None:
    async with kafka.publisher() as publisher, reader(kafka.described(FIRST)) as found:
        for letter in "abc":
            await publisher.publish(pack(letter * 1000))
        async with asyncio.timeout(40):
            assert len(await found.fetch(10, 1500)) == 1, "one is handed out, however small the room"
            await found.give_back(await found.fetch(10, 5000))
            assert len(await found.fetch(1, 5000)) == 1, "no more than so many"
        assert await waiting(found) == 3


async def test_copy_of_a_request_is_stored_once_and_one_without_a_name_behind(kafka: Kafka) -> None:
    async with kafka.publisher() as publisher, reader(kafka.described(FIRST)) as found:
        assert [await publisher.publish(pack("a"), "request") for _ in range(2)] == [False, True]
        await settled(found, 1)
        assert [await publisher.publish(pack("a")) for _ in range(2)] == [False, True]
        await settled(found, 3)


async def test_nobody_reads_a_topic_that_was_made_anew(kafka: Kafka) -> None:
    told = kafka.described(FIRST) | {"id": kafka.described(SECOND)["id"]}
    with pytest.raises(BusError, match="was made anew"):
        async with reader(told):
            pass


async def test_topic_that_stands_keeps_its_id_and_its_time_is_not_made_up(kafka: Kafka) -> None:
    known = kafka.described(FIRST)
    again = await Admin(known["url"]).create_topic(known["topic"], replicas=1)
    assert (again.id, again.epoch) == (known["id"], 0)
    assert int(known["epoch"]) > 0


@pytest.mark.parametrize("url", ["nats://a:4222", "kafka://", ""])
def test_what_is_no_address_of_kafka_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="kafka://HOST:PORT"):
        client_config(url)
