# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cairn.client import Lane, Outbox
from cairn.client.outbox import MAX_BYTES

LANE, OTHER = Lane("2088", "55501", "trades"), Lane("2088", "55501", "refunds")


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    outbox = Outbox(tmp_path / "outbox")
    yield outbox
    outbox.close()


def test_put_takes_all_or_none_and_refuses_what_is_no_line(outbox: Outbox) -> None:
    for wrong in (b"", b" \n", b"{}\n{}", b"x" * (MAX_BYTES + 1)):
        with pytest.raises(ValueError, match="a record"):
            outbox.put(LANE, [b"{}", wrong])
    with pytest.raises(ValueError, match="are ids"):
        outbox.put(Lane("1", "a/b", "trades"), [b"{}"])
    assert outbox.waiting() == 0
    outbox.put(LANE, [b"{}\n", b"1"])
    assert outbox.waiting() == 2


def test_batch_is_the_same_until_it_is_settled_whoever_opens_the_file(outbox: Outbox, tmp_path: Path) -> None:
    outbox.put(LANE, [b"1", b"2", b"3"])
    first = outbox.batch(LANE, records=2)
    assert first is not None
    assert first.body == b"1\n2"
    outbox.put(LANE, [b"4"])
    again = Outbox(tmp_path / "outbox")
    assert again.batch(LANE, records=500) == first
    again.settle(first, {1: "wrong"})
    again.close()
    second = outbox.batch(LANE)
    assert second is not None
    assert (second.body, second.name == first.name) == (b"3\n4", False)
    assert [(one.payload, one.reason, one.lane) for one in outbox.parked()] == [(b"2", "wrong", LANE)]


def test_batch_is_no_larger_than_the_gateway_takes(outbox: Outbox) -> None:
    outbox.put(LANE, [b"x" * (MAX_BYTES // 2 - 1), b"y" * (MAX_BYTES // 2), b"z"])
    sizes = []
    while (batch := outbox.batch(LANE)) is not None:
        sizes.append(len(batch.body))
        outbox.settle(batch, {})
    assert sizes == [MAX_BYTES, 1]


def test_split_halves_until_one_is_left_and_loses_none(outbox: Outbox) -> None:
    outbox.put(LANE, [b"1", b"2", b"3", b"4", b"5"])
    seen = []
    while (batch := outbox.batch(LANE)) is not None:
        if len(batch.ids) > 1:
            outbox.split(batch)
        else:
            seen.append(batch.body)
            outbox.settle(batch, {})
    assert seen == [b"1", b"2", b"3", b"4", b"5"]


def test_lanes_are_those_with_something_to_send(outbox: Outbox) -> None:
    assert outbox.lanes() == []
    outbox.put(LANE, [b"1"])
    outbox.put(OTHER, [b"2", b"3"])
    assert outbox.lanes() == [OTHER, LANE]
    batch = outbox.batch(LANE)
    assert batch is not None
    outbox.settle(batch, {0: "wrong"})
    assert outbox.lanes() == [OTHER]
    outbox.release(one.id for one in outbox.parked())
    assert (outbox.lanes(), outbox.parked()) == ([OTHER, LANE], [])


def test_client_loads_without_what_the_operator_needs() -> None:
    wanted = "import sys, cairn.client; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", wanted], check=True, capture_output=True, text=True).stdout.split()
    assert not {"pydantic", "nats", "kubernetes", "kopf", "yaml", "msgspec", "starlette", "asyncpg"} & set(loaded)
