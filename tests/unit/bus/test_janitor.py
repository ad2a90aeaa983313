# SPDX-License-Identifier: Apache-2.0
"""What the janitor may remove, by what the bus answers."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from cairn.bus.admin import EPOCH
from cairn.bus.connection import BusError, Client
from cairn.bus.janitor import floors, make_room

TRADES = "push.2088.55501.trades"


def consumer(name: str, floor: int, subject: str = TRADES, *, ours: bool = True) -> dict[str, Any]:
    config = {"filter_subjects": [subject], "metadata": {EPOCH: "1"} if ours else {}}
    return {"name": name, "config": config, "ack_floor": {"stream_seq": floor}}


class StubBus:
    """A full stream, whose answers to CONSUMER.LIST are given page by page."""

    def __init__(self, pages: list[dict[str, Any]], names: list[str]) -> None:
        self.pages, self.names = pages, names
        self.purged: list[dict[str, Any]] = []

    async def request(self, subject: str, data: bytes, timeout: float) -> Any:  # noqa: ASYNC109 - nats-py's own
        answers: dict[str, Any] = {
            "STREAM.INFO": {"config": {"max_bytes": 100}, "state": {"bytes": 90}},
            "CONSUMER.NAMES": {"consumers": self.names, "total": len(self.names)},
        }
        call = ".".join(subject.split(".")[2:4])
        if call == "STREAM.PURGE":
            self.purged.append(json.loads(data))
            answer = {"purged": 1}
        else:
            answer = self.pages.pop(0) if call == "CONSUMER.LIST" else answers[call]
        return type("Reply", (), {"data": json.dumps(answer).encode()})


async def room(bus: StubBus) -> list[dict[str, Any]]:
    await make_room(cast("Client", bus), "PUSH")
    return bus.purged


async def test_make_room_reads_all_pages() -> None:
    pages = [{"consumers": [consumer("a", 9)], "total": 2}, {"consumers": [consumer("b", 4)], "total": 2}]
    assert await room(StubBus(pages, ["a", "b"])) == [{"filter": TRADES, "seq": 5}]


@pytest.mark.parametrize(
    ("pages", "names"),
    [
        pytest.param(
            [{"consumers": [consumer("a", 9)], "missing": ["b"], "total": 2}], ["a", "b"], id="one-without-a-leader"
        ),
        pytest.param([{"consumers": [consumer("a", 9)], "total": 2}, {"total": 2}], ["a", "b"], id="cut-off"),
        pytest.param(
            # a, b, c: a went after the first page, so that b moved there and c stands where a second page begins
            [{"consumers": [consumer("a", 9)], "total": 3}, {"consumers": [consumer("c", 9)], "total": 2}],
            ["b", "c"],
            id="pages-that-shifted",
        ),
        pytest.param([{"consumers": [consumer("a", 9)], "total": 1}], ["a", "b"], id="one-made-just-now"),
    ],
)
async def test_make_room_that_does_not_see_every_consumer_purges_nothing(
    pages: list[dict[str, Any]], names: list[str]
) -> None:
    bus = StubBus(pages, names)
    with pytest.raises(BusError):
        await make_room(cast("Client", bus), "PUSH")
    assert bus.purged == []


def test_floors_of_a_consumer_that_is_nobodys_subscription_allow_nothing_and_hold_back() -> None:
    """`nats sub` on a subject whose records wait for a subscription: it acknowledges what stands nowhere."""
    curious = consumer("x", 7, ours=False)
    assert floors([curious]) == {}
    assert floors([curious, consumer("a", 9)]) == {TRADES: 7}


def test_floors_of_a_consumer_of_everything_allow_nothing() -> None:
    assert floors([consumer("a", 9), consumer("x", 9, ">", ours=False)]) == {}
