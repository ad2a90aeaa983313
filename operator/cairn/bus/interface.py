# SPDX-License-Identifier: Apache-2.0
"""What worker and gateway need of a bus, whichever it is. Knows none of them.

tests/data/test_bus_contract.py says what a bus must do to be one, and holds each to it on real servers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cairn.bus.pack import Pack


class Message(NamedTuple):
    """stream_seq: its place in the stream, the same at every delivery; within a subject it grows. reply: what it is
    acknowledged by. redelivered: it was delivered before, as far as the bus tells. stored_us: when the bus took it,
    unix µs; 0 where it does not say.
    """

    subject: str
    data: bytes
    reply: str
    stream_seq: int
    consumer_seq: int
    redelivered: bool
    stored_us: int = 0


@dataclass(frozen=True, slots=True)
class ConsumerFacts:
    """How far a consumer is, in messages (packs of records).

    pending: not delivered yet; unacknowledged: delivered, not yet written; epoch: when the stream was made, unix
    seconds: places begin anew with it
    """

    name: str
    filter_subjects: tuple[str, ...]
    pending: int
    unacknowledged: int
    redelivered: int
    epoch: int


class Reader(Protocol):
    """Messages of one subscription, in order. Every method but `give_up` raises BusError when the bus is lost: what was
    handed out may then no longer be acknowledged, and the caller makes a new one.

    stalls: how often the bus had to be asked again because it kept silent
    """

    stalls: int

    @property
    def connected(self) -> bool:
        """Whether the bus is there, as far as is known."""

    async def start(self) -> ConsumerFacts:
        """From now on, messages are wanted. What was delivered before and not acknowledged is delivered again."""

    async def info(self) -> ConsumerFacts:
        """How far the subscription is, as the bus says."""

    async def fetch(self, messages: int, room: int) -> list[Message]:
        """At least one; waits as long as it takes. `messages` and `room` (bytes) bound what is asked for."""

    async def acknowledge(self, messages: Iterable[Message]) -> None:
        """What they hold is committed: they need never be delivered again. What came before them is not acknowledged
        with them; as long as it isn't, they may be delivered again behind it. One that is lost leads to a redelivery.
        """

    async def keep(self, messages: Iterable[Message]) -> None:
        """Still at work on them: they are not to be delivered to anybody else yet."""

    async def give_back(self, messages: Iterable[Message]) -> None:
        """Not done: deliver them again, at once."""

    def give_up(self, why: str) -> None:
        """`fetch` raises; a new reader has all delivered again that is not acknowledged."""

    async def drain(self) -> None:
        """Ask for nothing more, and give back what has arrived but was not fetched."""


class Publisher(Protocol):
    """What the gateway needs of the bus."""

    @property
    def connected(self) -> bool:
        """Whether publishing has a chance."""

    async def publish(self, pack: Pack, request: str = "") -> bool:
        """Store it, on all the servers that it must be on; whether it was stored before. Raises BusError, BusFullError,
        SellerFullError.

        request: the caller's name for the request that it belongs to: of one request, the first copy stands
        """


class KeptPublisher(Publisher, Protocol):
    """One that sees to its connection itself."""

    async def keep(self) -> None:
        """Until cancelled: connect, and connect again."""
