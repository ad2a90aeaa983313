# SPDX-License-Identifier: Apache-2.0
"""The HTTP contract, with a bus that does as it is told."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from cairn.api.signing import signature
from cairn.bus.connection import BusError, BusFullError
from cairn.bus.pack import Pack
from cairn.datasets import shipped
from cairn.gateway.app import MAX_REQUESTS, Gateway
from cairn.gateway.auth import Keys
from cairn.gateway.check import MAX_BODY

PATH = "/v1/push/2088/55501/trades"
KEY = b"0123456789abcdef"
GOOD = b'{"trade_fullinfo_get_response":{"trade":{"tid":%d,"modified":"2026-11-11 00:00:00"}}}'


class StubBus:
    """Keeps what is published, once `allowed`; raises what it is told to."""

    def __init__(self) -> None:
        self.packs: list[Pack] = []
        self.error: Exception | None = None
        self.duplicate = False
        self.connected = True
        self.allowed = asyncio.Event()
        self.allowed.set()

    async def publish(self, pack: Pack) -> bool:
        await self.allowed.wait()
        if self.error is not None:
            raise self.error
        self.packs.append(pack)
        return self.duplicate


@pytest.fixture
def bus() -> StubBus:
    return StubBus()


@pytest_asyncio.fixture
async def gateway(bus: StubBus, tmp_path: Path) -> Gateway:
    (tmp_path / "key").write_bytes(KEY + b"\n")
    return Gateway(bus, Keys(tmp_path / "key"), shipped())


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(gateway.application())) as client:
        yield client


def signed(body: bytes, path: str = PATH, key: bytes = KEY, stamp: float | None = None) -> dict[str, str]:
    timestamp = str(int(time.time() if stamp is None else stamp))
    return {"X-Cairn-Timestamp": timestamp, "X-Cairn-Signature": signature(key, "POST", path, timestamp, body)}


async def test_push_answers_202_when_the_bus_has_it_and_not_before(client: TestClient[Any, Any], bus: StubBus) -> None:
    bus.allowed.clear()
    body = GOOD % 1
    waiting = asyncio.create_task(client.post(PATH, data=body, headers=signed(body)))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    bus.allowed.set()
    response = await waiting
    assert response.status == 202
    assert await response.json() == {"accepted": 1, "rejected": []}
    assert bus.packs[0].subject == "push.2088.55501.trades"
    assert bus.packs[0].records[0].payload == body


async def test_push_of_a_batch_takes_the_good_and_names_the_wrong(client: TestClient[Any, Any], bus: StubBus) -> None:
    body = b"\n".join((GOOD % 1, b"nonsense", GOOD % 2))
    response = await client.post(PATH, data=body, headers=signed(body))
    answer = await response.json()
    assert response.status == 202
    assert answer["accepted"] == 2
    assert [one["line"] for one in answer["rejected"]] == [2]
    assert [record.key for record in bus.packs[0].records] == [1, 2]


@pytest.mark.parametrize("body", [b"", b"\n\n", b"nonsense\nmore nonsense"])
async def test_push_of_nothing_good_is_400(client: TestClient[Any, Any], bus: StubBus, body: bytes) -> None:
    response = await client.post(PATH, data=body, headers=signed(body))
    assert response.status == 400
    assert bus.packs == []


async def test_push_that_was_stored_before_counts_as_accepted(client: TestClient[Any, Any], bus: StubBus) -> None:
    bus.duplicate = True
    body = GOOD % 1
    response = await client.post(PATH, data=body, headers=signed(body))
    assert (response.status, (await response.json())["accepted"]) == (202, 1)


@pytest.mark.parametrize("error", [BusError("no acknowledgement"), BusFullError("maximum bytes exceeded")])
async def test_push_without_a_bus_is_503_with_retry_after(
    client: TestClient[Any, Any], bus: StubBus, error: Exception
) -> None:
    bus.error = error
    body = GOOD % 1
    response = await client.post(PATH, data=body, headers=signed(body))
    assert response.status == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert str(error) in (await response.json())["error"]


async def test_push_of_a_large_body_is_cut_into_packs_in_order(client: TestClient[Any, Any], bus: StubBus) -> None:
    lines = [(GOOD % number)[:-3] + b',"x":"' + b"x" * 2000 + b'"}}}' for number in range(1, 401)]
    body = b"\n".join(lines)
    response = await client.post(PATH, data=body, headers=signed(body))
    assert (await response.json())["accepted"] == 400
    assert len(bus.packs) == 4
    assert [record.key for pack in bus.packs for record in pack.records] == list(range(1, 401))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda: {"X-Cairn-Signature": "0" * 64}, "X-Cairn-Signature", id="wrong"),
        pytest.param(lambda: {"X-Cairn-Signature": "ü"}, "X-Cairn-Signature", id="odd"),
        pytest.param(lambda: {"X-Cairn-Timestamp": ""}, "X-Cairn-Timestamp", id="no-time"),
        pytest.param(lambda: signed(GOOD % 1, stamp=time.time() - 400), "X-Cairn-Timestamp", id="old"),
        pytest.param(lambda: signed(GOOD % 1, stamp=time.time() + 400), "X-Cairn-Timestamp", id="future"),
        pytest.param(lambda: signed(GOOD % 2), "X-Cairn-Signature", id="other-body"),
        pytest.param(lambda: signed(GOOD % 1, path="/v1/push/99/55501/trades"), "X-Cairn-Signature", id="other-path"),
        pytest.param(lambda: signed(GOOD % 1, key=b"another key of 16"), "X-Cairn-Signature", id="other-key"),
    ],
)
async def test_push_that_nobody_signed_is_401(
    client: TestClient[Any, Any], bus: StubBus, change: Callable[[], dict[str, str]], reason: str
) -> None:
    body = GOOD % 1
    response = await client.post(PATH, data=body, headers={**signed(body), **change()})
    assert response.status == 401
    assert reason in (await response.json())["error"]
    assert bus.packs == []


@pytest.mark.parametrize(
    "path", ["/v1/push/2088/55501/nonsense", "/v1/push/20x/55501/trades", "/v1/push/2088/a.b/trades", "/v1/push"]
)
async def test_push_to_an_unknown_place_is_404(client: TestClient[Any, Any], path: str) -> None:
    body = GOOD % 1
    response = await client.post(path, data=body, headers=signed(body, path))
    assert response.status == 404


async def test_push_of_too_much_is_413(client: TestClient[Any, Any], bus: StubBus) -> None:
    for body in (b"x" * (MAX_BODY + 1), b"\n".join(GOOD % number for number in range(1, 1002))):
        response = await client.post(PATH, data=io.BytesIO(body), headers=signed(body))
        assert response.status == 413
    assert bus.packs == []


async def test_push_beyond_what_memory_allows_is_503(client: TestClient[Any, Any], bus: StubBus) -> None:
    bus.allowed.clear()
    body = GOOD % 1
    tasks = [asyncio.create_task(client.post(PATH, data=body, headers=signed(body))) for _ in range(MAX_REQUESTS + 3)]
    done, waiting = await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert {(await task).status for task in done} == {503}
    bus.allowed.set()
    statuses = [(await task).status for task in [*done, *waiting]]
    assert statuses.count(202) >= MAX_REQUESTS


async def test_keys_that_change_are_taken_and_the_old_one_goes(
    client: TestClient[Any, Any], gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, other = GOOD % 1, b"another key of 16"
    (tmp_path / "key").write_bytes(KEY + b"\n" + other + b"\n")
    later = time.monotonic() + 10
    monkeypatch.setattr("cairn.gateway.auth.time.monotonic", lambda: later)
    for key in (KEY, other):
        assert (await client.post(PATH, data=body, headers=signed(body, key=key))).status == 202


@pytest.mark.parametrize("content", ["", "short"])
def test_keys_of_a_file_without_good_keys_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(ValueError, match="16 characters"):
        Keys(tmp_path / "key").current()


async def test_readyz_follows_the_bus_and_healthz_does_not(
    client: TestClient[Any, Any], gateway: Gateway, bus: StubBus
) -> None:
    assert (await client.get("/readyz")).status == 200
    bus.connected = False
    assert (await client.get("/readyz")).status == 503
    assert (await client.get("/healthz")).status == 200
    bus.connected, gateway.draining = True, True
    assert (await client.get("/readyz")).status == 503


async def test_metrics_count_records_and_answers(client: TestClient[Any, Any]) -> None:
    body = b"\n".join((GOOD % 1, b"nonsense", GOOD % 2))
    await client.post(PATH, data=body, headers=signed(body))
    await client.post(PATH, data=body)
    text = await (await client.get("/metrics")).text()
    assert 'cairn_push_gateway_requests_total{code="202"} 1.0' in text
    assert 'cairn_push_gateway_requests_total{code="401"} 1.0' in text
    assert 'cairn_push_gateway_accepted_records_total{dataset="trades"} 2.0' in text
    assert 'cairn_push_gateway_rejected_records_total{dataset="trades"} 1.0' in text
