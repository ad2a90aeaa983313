# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent, the application answers in its one form, and says 202 for what the bus has and nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from httpx import ASGITransport, AsyncClient, Headers, Response
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cairn.datasets import shipped
from cairn.gateway.app import Gateway
from cairn.gateway.auth import Entrance, Keys
from unit.gateway.told import GOOD, KEY, PATH, StubBus, signed

LINES = st.one_of(
    st.binary(max_size=60),
    st.integers(-(2**70), 2**70).map(lambda number: GOOD % number),
    st.integers(1, 9).map(lambda number: GOOD % number),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["tid", "modified", "x"]), inner),
        max_leaves=8,
    ).map(lambda trade: json.dumps({"trade_fullinfo_get_response": {"trade": trade}}).encode()),
)
BODIES = st.lists(LINES, max_size=8).map(b"\n".join)
NAMES = st.sampled_from(
    [
        "X-Cairn-Timestamp",
        "X-Cairn-Signature",
        "Idempotency-Key",
        "Content-Encoding",
        "Content-Length",
        "Expect",
        "Host",
    ]
)
VALUES = st.binary(max_size=40).map(lambda raw: bytes(byte for byte in raw if byte not in b"\r\n\0"))


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("fuzz") / "key"
    file.write_bytes(KEY)
    return file


def answered(key_file: Path, path: str, body: bytes, headers: Headers) -> tuple[Response, StubBus]:
    async def ask() -> tuple[Response, StubBus]:
        bus = StubBus()
        app = Gateway(bus, Entrance(Keys(key_file)), shipped()).application()
        async with AsyncClient(transport=ASGITransport(app), base_url="http://gateway") as client:
            return await client.post(path, content=body, headers=headers), bus

    return asyncio.run(ask())


def judged(response: Response, bus: StubBus) -> None:
    answer = response.json()
    records = [record for pack in bus.packs for record in pack.records]
    assert response.status_code in {202, 400, 401, 404, 405, 413, 415}
    assert (response.status_code == 202) is bool(records)
    assert answer["accepted"] == len(records)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES)
def test_any_signed_body_is_taken_or_refused_line_by_line(key_file: Path, body: bytes) -> None:
    response, bus = answered(key_file, PATH, body, Headers(signed(body)))
    judged(response, bus)
    refused = {one["line"] for one in response.json()["rejected"]}
    lines = {number: line.strip() for number, line in enumerate(body.split(b"\n"), 1) if line.strip()}
    assert refused <= lines.keys()
    stored = [record.payload for pack in bus.packs for record in pack.records]
    assert stored == [line for number, line in lines.items() if number not in refused]


@settings(max_examples=100, deadline=None)
@given(body=BODIES, odd=st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_any_headers_are_answered_and_open_nothing(key_file: Path, body: bytes, odd: list[tuple[str, bytes]]) -> None:
    headers = Headers([(name.encode(), value) for name, value in odd])
    response, bus = answered(key_file, PATH, body, headers)
    judged(response, bus)
    assert bus.packs == []


@settings(max_examples=100, deadline=None)
@given(places=st.lists(st.text(max_size=12), min_size=0, max_size=4))
def test_any_path_is_answered(key_file: Path, places: list[str]) -> None:
    path = "/v1/push/" + "/".join(quote(place, safe="") for place in places)
    judged(*answered(key_file, path, GOOD % 1, Headers(signed(GOOD % 1, path))))
