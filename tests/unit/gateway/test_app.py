# SPDX-License-Identifier: Apache-2.0
"""The HTTP contract, with a bus that does as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from httpx import ASGITransport, AsyncClient, Headers

from cairn.bus.connection import BusError, BusFullError, SellerFullError
from cairn.datasets import shipped
from cairn.gateway.app import Gateway
from cairn.gateway.auth import Entrance, Keys
from cairn.gateway.check import MAX_BODY
from cairn.gateway.limits import Limits, Rate
from cairn.gateway.push import MAX_REQUESTS
from unit.gateway.told import GOOD, KEY, PATH, StubBus, signed


@pytest.fixture
def bus() -> StubBus:
    return StubBus()


@pytest_asyncio.fixture
async def gateway(bus: StubBus, tmp_path: Path) -> Gateway:
    (tmp_path / "key").write_bytes(KEY + b"\n")
    limits = Limits(sellers={"7": Rate(records_per_second=1, burst=5)})
    return Gateway(bus, Entrance(Keys(tmp_path / "key")), shipped(), limits)


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(transport=ASGITransport(gateway.application()), base_url="http://gateway") as client:
        yield client


async def test_push_answers_202_when_the_bus_has_it_and_not_before(client: AsyncClient, bus: StubBus) -> None:
    bus.allowed.clear()
    body = GOOD % 1
    waiting = asyncio.create_task(client.post(PATH, content=body, headers=signed(body)))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    bus.allowed.set()
    response = await waiting
    assert response.status_code == 202
    assert response.json() == {"accepted": 1, "rejected": []}
    assert bus.packs[0].subject == "push.2088.55501.trades"
    assert bus.packs[0].records[0].payload == body


async def test_push_of_a_batch_takes_the_good_and_names_the_wrong(client: AsyncClient, bus: StubBus) -> None:
    body = b"\n".join((GOOD % 1, b"nonsense", GOOD % 2))
    response = await client.post(PATH, content=body, headers=signed(body))
    answer = response.json()
    assert response.status_code == 202
    assert answer["accepted"] == 2
    assert [one["line"] for one in answer["rejected"]] == [2]
    assert [record.key for record in bus.packs[0].records] == [1, 2]


@pytest.mark.parametrize("body", [b"", b"\n\n", b"nonsense\nmore nonsense"])
async def test_push_of_nothing_good_is_400(client: AsyncClient, bus: StubBus, body: bytes) -> None:
    response = await client.post(PATH, content=body, headers=signed(body))
    assert response.status_code == 400
    assert bus.packs == []


async def test_push_that_was_stored_before_counts_as_accepted(client: AsyncClient, bus: StubBus) -> None:
    bus.duplicate = True
    body = GOOD % 1
    response = await client.post(PATH, content=body, headers=signed(body))
    assert (response.status_code, (response.json())["accepted"]) == (202, 1)


@pytest.mark.parametrize("error", [BusError("no acknowledgement"), BusFullError("maximum bytes exceeded")])
async def test_push_without_a_bus_is_503_with_retry_after(client: AsyncClient, bus: StubBus, error: Exception) -> None:
    bus.error = error
    body = GOOD % 1
    response = await client.post(PATH, content=body, headers=signed(body))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert str(error) in (response.json())["error"]


async def test_push_of_a_seller_whose_backlog_is_full_is_503_and_counted_apart(
    client: AsyncClient, bus: StubBus
) -> None:
    bus.error = SellerFullError("its database is behind")
    body = GOOD % 1
    response = await client.post(PATH, content=body, headers=signed(body))
    assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
    assert response.json()["error"] == "its database is behind"
    assert "cairn_push_gateway_seller_full_total 1.0" in (await client.get("/metrics")).text


async def test_push_of_a_large_body_is_cut_into_packs_in_order(client: AsyncClient, bus: StubBus) -> None:
    lines = [(GOOD % number)[:-3] + b',"x":"' + b"x" * 2000 + b'"}}}' for number in range(1, 401)]
    body = b"\n".join(lines)
    response = await client.post(PATH, content=body, headers=signed(body))
    assert (response.json())["accepted"] == 400
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
    client: AsyncClient, bus: StubBus, change: Callable[[], dict[str, str]], reason: str
) -> None:
    body = GOOD % 1
    response = await client.post(PATH, content=body, headers=Headers({**signed(body), **change()}, encoding="utf-8"))
    assert response.status_code == 401
    assert reason in (response.json())["error"]
    assert bus.packs == []


@pytest.mark.parametrize(
    "path", ["/v1/push/2088/55501/nonsense", "/v1/push/20x/55501/trades", "/v1/push/2088/a.b/trades", "/v1/push"]
)
async def test_push_to_an_unknown_place_is_404(client: AsyncClient, path: str) -> None:
    body = GOOD % 1
    response = await client.post(path, content=body, headers=signed(body, path))
    assert response.status_code == 404


async def test_push_of_too_much_is_413(client: AsyncClient, bus: StubBus) -> None:
    for body in (b"x" * (MAX_BODY + 1), b"\n".join(GOOD % number for number in range(1, 1002))):
        response = await client.post(PATH, content=body, headers=signed(body))
        assert response.status_code == 413
    assert bus.packs == []


async def test_push_beyond_what_memory_allows_is_503(client: AsyncClient, bus: StubBus) -> None:
    bus.allowed.clear()
    body = GOOD % 1
    tasks = [
        asyncio.create_task(client.post(PATH, content=body, headers=signed(body))) for _ in range(MAX_REQUESTS + 3)
    ]
    done, waiting = await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert {(await task).status_code for task in done} == {503}
    bus.allowed.set()
    statuses = [(await task).status_code for task in [*done, *waiting]]
    assert statuses.count(202) >= MAX_REQUESTS


async def test_keys_that_change_are_taken_and_the_old_one_goes(
    client: AsyncClient, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, other = GOOD % 1, b"another key of 16"
    (tmp_path / "key").write_bytes(KEY + b"\n" + other + b"\n")
    later = time.monotonic() + 10
    monkeypatch.setattr("cairn.gateway.auth.time.monotonic", lambda: later)
    for key in (KEY, other):
        assert (await client.post(PATH, content=body, headers=signed(body, key=key))).status_code == 202


@pytest.mark.parametrize("content", ["", "short"])
def test_keys_of_a_file_without_good_keys_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(ValueError, match="16 characters"):
        Keys(tmp_path / "key").current()


async def test_readyz_follows_the_bus_and_healthz_does_not(client: AsyncClient, gateway: Gateway, bus: StubBus) -> None:
    assert (await client.get("/readyz")).status_code == 200
    bus.connected = False
    assert (await client.get("/readyz")).status_code == 503
    assert (await client.get("/healthz")).status_code == 200
    bus.connected, gateway.draining = True, True
    assert (await client.get("/readyz")).status_code == 503


async def test_metrics_count_records_and_answers(client: AsyncClient) -> None:
    body = b"\n".join((GOOD % 1, b"nonsense", GOOD % 2))
    await client.post(PATH, content=body, headers=signed(body))
    await client.post(PATH, content=body)
    text = (await client.get("/metrics")).text
    assert 'cairn_push_gateway_requests_total{code="202"} 1.0' in text
    assert 'cairn_push_gateway_requests_total{code="401"} 1.0' in text
    assert 'cairn_push_gateway_accepted_records_total{dataset="trades"} 2.0' in text
    assert 'cairn_push_gateway_rejected_records_total{dataset="trades"} 1.0' in text


async def test_push_faster_than_the_seller_may_is_429_for_this_seller_alone(client: AsyncClient, bus: StubBus) -> None:
    path, body = "/v1/push/7/55501/trades", b"\n".join(GOOD % number for number in range(1, 21))
    assert (await client.post(path, content=body, headers=signed(body, path))).status_code == 202
    response = await client.post(path, content=body, headers=signed(body, path))
    assert response.status_code == 429
    assert 10 <= int(response.headers["Retry-After"]) <= 16
    assert len(bus.packs) == 1
    assert (await client.post(PATH, content=body, headers=signed(body))).status_code == 202


async def test_push_that_the_bus_did_not_take_costs_the_seller_nothing(client: AsyncClient, bus: StubBus) -> None:
    path, body = "/v1/push/7/55501/trades", b"\n".join(GOOD % number for number in range(1, 21))
    bus.error = BusFullError("maximum bytes exceeded")
    assert [(await client.post(path, content=body, headers=signed(body, path))).status_code for _ in range(3)] == [
        503
    ] * 3
    bus.error = None
    assert (await client.post(path, content=body, headers=signed(body, path))).status_code == 202


async def test_push_hands_the_name_of_the_request_to_the_bus(client: AsyncClient, bus: StubBus) -> None:
    body = GOOD % 1
    for key, status in (("one-request", 202), ("", 400), ("two words", 400), ("x" * 129, 400)):
        response = await client.post(PATH, content=body, headers={**signed(body), "Idempotency-Key": key})
        assert response.status_code == status
    assert bus.requests == ["one-request"]


async def test_push_of_a_compressed_body_is_415(client: AsyncClient, bus: StubBus) -> None:
    body = GOOD % 1
    response = await client.post(PATH, content=body, headers={**signed(body), "Content-Encoding": "gzip"})
    assert response.status_code == 415
    assert bus.packs == []


async def test_other_methods_and_paths_are_answered_in_the_same_form(client: AsyncClient) -> None:
    for answer, status in ((await client.get(PATH), 405), (await client.get("/nonsense"), 404)):
        assert answer.status_code == status
        assert answer.json()["accepted"] == 0
    assert (await client.get(PATH)).headers["Allow"] == "POST"


async def test_answers_of_a_draining_gateway_end_their_connections(client: AsyncClient, gateway: Gateway) -> None:
    gateway.draining = True
    body = GOOD % 1
    response = await client.post(PATH, content=body, headers=signed(body))
    assert (response.status_code, response.headers["Connection"]) == (202, "close")
