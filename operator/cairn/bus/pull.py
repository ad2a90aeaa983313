# SPDX-License-Identifier: Apache-2.0
"""The worker's side of the bus: messages of one durable consumer, never more than there is room for.

One pull request is open at a time. Every request has a reply subject of its own, so that a late status of an old one
is told from the current one's, and asks for heartbeats, so that a request the server has forgotten is noticed.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from cairn.bus.admin import consumer_info
from cairn.bus.connection import BusError, api, uncancelled
from cairn.bus.interface import ConsumerFacts, Message

HEARTBEAT_SECONDS = 5
EXPIRES_SECONDS = 30
MIN_ROOM = 1_300_000
"""Bytes that must be free before more is asked for: the largest message and its headers."""


class Puller:
    """Messages of one consumer.

    Raises BusError when the connection was lost, or the consumer was deleted or made anew: what was handed out before
    may then no longer be acknowledged, and stream positions may start again at one. The caller makes a new Puller.
    """

    def __init__(self, client: Client, stream: str, consumer: str) -> None:
        self._client, self._stream, self._consumer = client, stream, consumer
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._arrived: deque[Message] = deque()
        self._news = asyncio.Event()
        self._request = 0
        self._open = 0
        self._last = 0
        self._gone: str | None = None
        self._reconnects = client.stats["reconnects"]
        self.stalls = 0

    @property
    def connected(self) -> bool:
        """Whether the server is there, as far as is known: a silent one is given up within 20 s."""
        return self._client.is_connected

    async def start(self) -> ConsumerFacts:
        """Subscribe, and say how far the consumer is. BusError where there is none.

        What was delivered and not acknowledged is delivered again at once, not only when its time is up: whoever had
        it is gone, or can't acknowledge it any more.
        """
        facts = await self.info()
        if facts.unacknowledged:
            await api(self._client, f"CONSUMER.RESET.{self._stream}.{self._consumer}")
        self._prefix = self._client.new_inbox()
        try:
            with uncancelled():
                self._subscription = await self._client.subscribe(f"{self._prefix}.*", cb=self._receive)
        except (NatsError, OSError) as error:
            raise _lost(error) from error
        return facts

    async def info(self) -> ConsumerFacts:
        facts = await consumer_info(self._client, self._stream, self._consumer)
        if facts is None:
            raise BusError(f"consumer {self._consumer} of stream {self._stream} is gone")
        return facts

    def give_up(self, why: str) -> None:
        """`fetch` raises; a new Puller has all delivered again that is not acknowledged."""
        self._gone = why
        self._news.set()

    async def drain(self) -> None:
        """Ask for nothing more, and give back what has arrived but was not fetched."""
        try:
            with uncancelled():
                await self._subscription.drain()  # type: ignore[no-untyped-call]
        except (NatsError, OSError) as error:
            raise _lost(error) from error
        await self.give_back(self._arrived)
        self._arrived.clear()

    async def fetch(self, messages: int, room: int) -> list[Message]:
        """At least one message; waits as long as it takes. `messages` and `room` (bytes) bound what is asked for."""
        silence = 0
        while not self._arrived or self._gone:
            if self._gone:
                raise BusError(self._gone)
            self._news.clear()
            if self._open <= 0:
                await self._pull(messages, room)
            try:
                async with asyncio.timeout(1):
                    await self._news.wait()
                    silence = 0
            except TimeoutError:
                silence += 1
                self._look(silence)
        arrived = list(self._arrived)
        self._arrived.clear()
        return arrived

    def _look(self, silence: int) -> None:
        """Ask again when neither message nor heartbeat came for two heartbeats' time."""
        if not self.connected or self._client.stats["reconnects"] != self._reconnects:
            raise BusError("the connection was lost, and messages or acknowledgements with it")
        if silence >= 2 * HEARTBEAT_SECONDS:
            self.stalls += 1
            self._open = 0

    async def acknowledge(self, messages: Iterable[Message]) -> None:
        """They need never be delivered again. An acknowledgement that is lost leads to a redelivery."""
        await self._answer(messages, b"+ACK")

    async def keep(self, messages: Iterable[Message]) -> None:
        """Still at work on them: they are not to be delivered to anybody else yet."""
        await self._answer(messages, b"+WPI")

    async def give_back(self, messages: Iterable[Message]) -> None:
        """Not done: deliver them again, at once."""
        await self._answer(messages, b"-NAK")

    async def _answer(self, messages: Iterable[Message], word: bytes) -> None:
        try:
            with uncancelled():
                for message in messages:
                    await self._client.publish(message.reply, word)
        except (NatsError, OSError) as error:
            raise _lost(error) from error

    async def _pull(self, messages: int, room: int) -> None:
        self._request += 1
        self._open = messages
        body = {
            "batch": messages,
            "max_bytes": room,
            "expires": EXPIRES_SECONDS * 1_000_000_000,
            "idle_heartbeat": HEARTBEAT_SECONDS * 1_000_000_000,
        }
        try:
            with uncancelled():
                await self._client.publish(
                    self._next, json.dumps(body).encode(), reply=f"{self._prefix}.{self._request}"
                )
        except (NatsError, OSError) as error:
            raise _lost(error) from error

    async def _receive(self, msg: Msg) -> None:
        if not msg.reply:
            self._status(msg)
        else:
            self._message(msg)
        self._news.set()

    def _status(self, msg: Msg) -> None:
        status = (msg.headers or {}).get("Status", "")
        text = (msg.headers or {}).get("Description", "")
        if status == "100":
            return  # heartbeat
        if status == "409" and "deleted" in text.lower():
            self._gone = f"consumer {self._consumer} is gone"
        if status == "503" or msg.subject.endswith(f".{self._request}"):
            self._open = 0

    def _message(self, msg: Msg) -> None:
        tokens = msg.reply.split(".")
        first = 4 if len(tokens) == 9 else 6  # with a domain: two tokens more in front, one behind
        delivered, stream_seq, consumer_seq, stored_ns = (int(token) for token in tokens[first : first + 4])
        if consumer_seq <= self._last:
            self._gone = f"consumer {self._consumer} was made anew: the one before is gone"  # and `drain` gives it back
        self._last = consumer_seq
        self._open -= 1
        stored_us = stored_ns // 1000
        self._arrived.append(
            Message(msg.subject, msg.data, msg.reply, stream_seq, consumer_seq, delivered > 1, stored_us)
        )


def _lost(error: Exception) -> BusError:
    return BusError(f"the connection was lost: {type(error).__name__}")
