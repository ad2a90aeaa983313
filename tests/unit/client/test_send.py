# SPDX-License-Identifier: Apache-2.0
"""The sender against the real gateway's server, and against answers that the gateway gives seldom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from cairn.bus.connection import BusError
from cairn.client import Lane, Outbox, Sender, signer
from cairn.client.send import verdict
from cairn.datasets import shipped
from cairn.gateway.app import Gateway
from cairn.gateway.auth import Entrance, Keys
from unit.gateway.served import Served, serving
from unit.gateway.told import GOOD, KEY, StubBus

LANE, OTHER = Lane("2088", "55501", "trades"), Lane("7", "9", "trades")
QUICK = (0.001, 0.01)


@pytest.fixture
def bus() -> StubBus:
    return StubBus()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox")
    yield outbox
    outbox.close()


@pytest_asyncio.fixture
async def served(bus: StubBus, tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "key").write_bytes(KEY)
    async with serving(Gateway(bus, Entrance(Keys(tmp_path / "key")), shipped())) as served:
        yield served


def sender(served: Served, outbox: Outbox, key: bytes = KEY) -> Sender:
    return Sender(f"http://127.0.0.1:{served.port}", outbox, signer(lambda: key), backoff=QUICK, batch_records=10)


def payloads(bus: StubBus) -> list[bytes]:
    return [record.payload for pack in bus.packs for record in pack.records]


async def test_flush_sends_in_order_and_parks_what_is_refused_with_its_reason(
    served: Served, outbox: Outbox, bus: StubBus
) -> None:
    good = [GOOD % number for number in range(1, 36)]
    outbox.put(LANE, [*good[:15], b"nonsense", *good[15:]])
    await sender(served, outbox).flush()
    assert payloads(bus) == good
    (parked,) = outbox.parked()
    assert parked.payload == b"nonsense"
    assert "JSON" in parked.reason
    assert outbox.waiting() == 0


async def test_flush_of_a_dataset_that_is_not_there_parks_it_and_no_other(
    served: Served, outbox: Outbox, bus: StubBus
) -> None:
    outbox.put(Lane("2088", "55501", "weather"), [b"{}", b"{}"])
    outbox.put(LANE, [GOOD % 1])
    await sender(served, outbox).flush()
    assert payloads(bus) == [GOOD % 1]
    assert [one.reason[:4] for one in outbox.parked()] == ["404:", "404:"]


async def test_flush_without_a_bus_repeats_one_request_under_one_name(
    served: Served, outbox: Outbox, bus: StubBus
) -> None:
    bus.error = BusError("no connection")
    outbox.put(LANE, [GOOD % 1, GOOD % 2])
    one = sender(served, outbox)
    flushing = asyncio.create_task(one.flush())
    while not one.trouble:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert "503" in one.trouble[LANE]
    bus.error = None
    await flushing
    assert payloads(bus) == [GOOD % 1, GOOD % 2]
    assert one.trouble == {}


async def test_flush_with_a_wrong_key_keeps_every_record(served: Served, outbox: Outbox, bus: StubBus) -> None:
    outbox.put(LANE, [GOOD % 1])
    one = sender(served, outbox, key=b"not the gateway's key")
    flushing = asyncio.create_task(one.flush())
    while not one.trouble:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    flushing.cancel()
    await asyncio.gather(flushing, return_exceptions=True)
    assert "401" in one.trouble[LANE]
    assert (outbox.waiting(), outbox.parked(), bus.packs) == (1, [], [])


async def against(outbox: Outbox, handler: object) -> list[tuple[str, list[bytes]]]:
    """Names and lines of the requests until the outbox is empty. handler: status and answer for so many lines."""
    seen: list[tuple[str, list[bytes]]] = []

    async def post(request: web.Request) -> web.Response:
        lines = (await request.read()).split(b"\n")
        seen.append((request.headers["Idempotency-Key"], lines))
        return handler(request, lines, len(seen))  # type: ignore[operator, no-any-return]

    app = web.Application()
    app.router.add_post("/{rest:.*}", post)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        async with asyncio.timeout(20):
            await Sender(url, outbox, backoff=QUICK).flush()
    return seen


def accept(lines: list[bytes]) -> web.Response:
    return web.json_response({"accepted": len(lines), "rejected": []}, status=202)


async def test_flush_of_too_much_splits_down_to_the_record_that_is_too_large(outbox: Outbox) -> None:
    outbox.put(LANE, [b"1", b"2", b"3", b"large", b"5"])
    seen = await against(outbox, lambda _r, lines, _n: web.Response(status=413) if b"large" in lines else accept(lines))
    assert [one.payload for one in outbox.parked()] == [b"large"]
    taken = [line for _, lines in seen if b"large" not in lines for line in lines]
    assert taken == [b"1", b"2", b"3", b"5"]
    assert len({name for name, _ in seen}) == len(seen)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (202, '{"accepted": 1, "rejected": []}'),
        (202, "<html>welcome</html>"),
        (200, '{"accepted": 2, "rejected": []}'),
        (302, ""),
        (429, ""),
        (500, ""),
    ],
)
async def test_flush_takes_nothing_for_an_answer_that_does_not_speak_for_every_record(
    outbox: Outbox, status: int, text: str
) -> None:
    outbox.put(LANE, [b"1", b"2"])
    seen = await against(
        outbox, lambda _r, lines, n: web.Response(status=status, text=text) if n < 3 else accept(lines)
    )
    assert [lines for _, lines in seen] == [[b"1", b"2"]] * 3
    assert len({name for name, _ in seen}) == 1
    assert outbox.parked() == []


async def test_flush_waits_as_long_as_it_is_told_and_other_lanes_do_not(outbox: Outbox) -> None:
    outbox.put(LANE, [b"1"])
    order: list[str] = []

    def handler(request: web.Request, lines: list[bytes], number: int) -> web.Response:
        order.append(request.path)
        if number == 1:
            outbox.put(OTHER, [b"9"])
            return web.Response(status=429, headers={"Retry-After": "1"})
        return accept(lines)

    await against(outbox, handler)
    assert order == [LANE.path, OTHER.path, LANE.path]


def test_verdict_of_an_answer_that_names_lines_twice_or_that_are_not_there_is_none() -> None:
    def answer(accepted: int, *lines: int) -> str:
        return json.dumps({"accepted": accepted, "rejected": [{"line": line, "reason": "x"} for line in lines]})

    assert verdict(202, answer(1, 2), 2) == {1: "x"}
    assert verdict(400, answer(0, 1, 2), 2) == {0: "x", 1: "x"}
    for status, text in (
        (202, answer(1, 3)),
        (202, answer(1, 0)),
        (202, answer(0, 1, 1)),
        (400, answer(1, 2)),
        (202, "[]"),
    ):
        assert verdict(status, text, 2) is None
