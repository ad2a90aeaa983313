# SPDX-License-Identifier: Apache-2.0
"""The running server against callers who stall, lie, break off or speak something else."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from cairn.datasets import shipped
from cairn.gateway.app import Gateway
from cairn.gateway.auth import Entrance, Keys
from cairn.gateway.check import MAX_BODY
from cairn.gateway.server import Protocol
from unit.gateway.served import Served, request, serving
from unit.gateway.told import GOOD, KEY, PATH, StubBus

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"


@pytest.fixture
def bus() -> StubBus:
    return StubBus()


@pytest_asyncio.fixture
async def served(bus: StubBus, tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "key").write_bytes(KEY)
    async with serving(Gateway(bus, Entrance(Keys(tmp_path / "key")), shipped())) as served:
        yield served
        assert (await served.said(HEALTH)).startswith(b"HTTP/1.1 200")


async def test_a_body_in_crumbs_and_two_requests_in_one_piece_are_taken(served: Served, bus: StubBus) -> None:
    raw = await served.connect()
    whole = request(GOOD % 1)
    await raw.send(*(whole[at : at + 7] for at in range(0, len(whole), 7)))
    assert (await raw.answer()).startswith(b"HTTP/1.1 202")
    await raw.send(request(GOOD % 2) + request(GOOD % 3, "Connection: close"))
    assert (await raw.rest()).count(b"HTTP/1.1 202") == 2
    assert [pack.records[0].key for pack in bus.packs] == [1, 2, 3]


async def test_an_answer_in_two_pieces_is_not_held_back_for_the_first_to_be_acknowledged(served: Served) -> None:
    raw = await served.connect()
    await raw.send(request(GOOD % 1))
    await raw.answer()
    (connection,) = served.server.server_state.connections
    taken = connection.transport.get_extra_info("socket")
    assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    raw.writer.close()


async def test_a_head_that_does_not_come_to_an_end_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Protocol, "head_seconds", 0.2)
    assert await served.said(b"POST /v1/push HTTP/1.1\r\nHost: ga") == b""
    assert await served.said() == b""
    raw = await served.connect()
    await raw.send(request(GOOD % 1))
    assert (await raw.answer()).startswith(b"HTTP/1.1 202")
    await raw.send(b"POST /v1/pu")
    assert await raw.rest() == b""


async def test_a_body_that_does_not_come_to_an_end_is_408(served: Served, bus: StubBus) -> None:
    served.gateway.push.body_seconds = 0.2
    said = await served.said(request(GOOD % 1, length=len(GOOD) + 10))
    assert said.startswith(b"HTTP/1.1 408")
    assert bus.packs == []


async def test_a_body_of_a_length_that_is_too_large_is_413_before_it_is_sent(served: Served) -> None:
    said = await served.said(request(b"", "Expect: 100-continue", length=MAX_BODY + 1))
    assert said.startswith(b"HTTP/1.1 413")


async def test_a_body_without_a_length_is_413_once_it_is_too_large(served: Served) -> None:
    head = request(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    said = await served.said(head, *[chunk] * 17, b"0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 413")


async def test_the_answer_reaches_who_sends_all_of_a_body_that_is_too_large(served: Served) -> None:
    said = await served.said(request(b"x" * (3 * MAX_BODY)))
    assert said.startswith(b"HTTP/1.1 413")


async def test_a_caller_who_is_not_known_is_answered_before_the_body(served: Served) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: gateway\r\nExpect: 100-continue\r\nContent-Length: 900000\r\n\r\n"
    assert (await served.said(head.encode())).startswith(b"HTTP/1.1 401")


async def test_a_caller_who_breaks_off_leaves_nothing_behind(served: Served, bus: StubBus) -> None:
    for cut in (10, 100, len(request(GOOD % 1)) - 1):
        raw = await served.connect()
        await raw.send(request(GOOD % 1)[:cut])
        raw.writer.transport.abort()
    await served.said(HEALTH)
    assert bus.packs == []
    assert not served.server.server_state.tasks


@pytest.mark.parametrize(
    "bytes_",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), id="tls"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no-host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2_000_000 + b"\r\n\r\n", id="large-head"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 400_000 + b"\r\n", id="many-headers"),
        pytest.param(request(GOOD % 1, "Transfer-Encoding: chunked", "Content-Length: 5"), id="two-lengths"),
        pytest.param(request(GOOD % 1, length=-5), id="negative-length"),
        pytest.param(
            request(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"") + b"zz\r\n", id="chunk"
        ),
    ],
)
async def test_what_is_no_http_is_refused(served: Served, bus: StubBus, bytes_: bytes) -> None:
    said = await served.said(bytes_)
    assert said == b"" or said.startswith(b"HTTP/1.1 4"), said[:80]
    assert bus.packs == []


async def test_two_lengths_that_differ_smuggle_nothing(served: Served, bus: StubBus) -> None:
    """A length that a proxy in front may not have gone by: the bytes behind it are no request."""
    smuggled = request(GOOD % 9)
    chunked = request(GOOD % 1, "Transfer-Encoding: chunked") + b"\r\n0\r\n\r\n"
    await served.said(chunked + smuggled)
    assert all(record.key != 9 for pack in bus.packs for record in pack.records)


@pytest.mark.parametrize("seed", range(4))
async def test_broken_requests_never_are_accepted_records_nor_the_end(served: Served, bus: StubBus, seed: int) -> None:
    """A good request with a few of its bytes changed, cut out or doubled."""
    randomly = random.Random(seed)
    connections = []
    for _ in range(40):
        broken = bytearray(request(GOOD % 1, "Connection: close"))
        for _ in range(randomly.randint(1, 4)):
            at = randomly.randrange(len(broken))
            piece = bytes(broken[at : at + randomly.randint(0, 9)])
            broken[at : at + len(piece)] = randomly.choice((randomly.randbytes(len(piece)), b"", piece * 2, b"\r\n"))
        connections.append(one(served, bytes(broken)))
    said = await asyncio.gather(*connections)
    assert sum(answer.startswith(b"HTTP/1.1 202") for answer in said) == len(bus.packs)
    assert {record.payload for pack in bus.packs for record in pack.records} <= {GOOD % 1}


async def one(served: Served, sent: bytes) -> bytes:
    """What comes back to who says all that it has to say and hangs up."""
    raw = await served.connect()
    await raw.send(sent)
    raw.writer.write_eof()
    return await raw.rest()


async def test_a_request_under_way_is_answered_when_the_server_ends(bus: StubBus, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY)
    bus.allowed.clear()
    async with serving(Gateway(bus, Entrance(Keys(tmp_path / "key")), shipped())) as served:
        busy, idle = await served.connect(), await served.connect()
        await busy.send(request(GOOD % 1))
        while not served.server.server_state.tasks:  # noqa: ASYNC110  the server's own set
            await asyncio.sleep(0.01)
        served.server.should_exit = True
        assert await idle.rest() == b""
        bus.allowed.set()
        assert (await busy.rest()).startswith(b"HTTP/1.1 202")
