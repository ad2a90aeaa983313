# SPDX-License-Identifier: Apache-2.0
"""Connections to the bus, and what can be wrong with it."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from cairn.bus.credentials import Creds, inbox

log = logging.getLogger(__name__)


class BusError(Exception):
    """The bus can't be reached or refuses. The message says which; nothing was stored, or nobody can tell."""


class BusFullError(BusError):
    """The stream takes no more: nothing was stored."""


class SellerFullError(BusFullError):
    """What waits of this seller's takes its share of the stream: nothing was stored. Others are not concerned."""


@contextmanager
def uncancelled() -> Iterator[None]:
    """BusError where nats-py cancels what waits for a connection that it closes: nobody asked this task to end."""
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise BusError("the connection was lost under way") from error


async def connect(
    url: str,
    creds: Callable[[], str],
    user: str,
    *,
    tls: ssl.SSLContext | None = None,
    patience_seconds: float = 5.0,
) -> Client:
    """A connection that keeps itself up from now on. BusError when it can't be had at once.

    It closes itself when the server refuses its creds for good: see to `is_closed`.

    url: of one server, or of several of a cluster as in `nats://a:4222,nats://b:4222`: one that answers is enough
    creds: text of a `.creds` file, asked for on every (re)connect, so that a renewed file is used
    user: the name the inboxes belong to, see `credentials.inbox`
    """

    async def on_error(error: Exception) -> None:
        log.warning("bus: %s", error)

    def sign(nonce: str) -> bytes:
        return base64.b64encode(Creds.parse(creds()).key.sign(nonce.encode()))

    client = Client()
    try:
        async with asyncio.timeout(patience_seconds):
            with uncancelled():
                await client.connect(
                    servers=[server.strip() for server in url.split(",")],
                    name=f"cairn-{user}",
                    user_jwt_cb=lambda: bytearray(Creds.parse(creds()).jwt.encode()),
                    signature_cb=sign,
                    inbox_prefix=inbox(user),
                    tls=tls,
                    error_cb=on_error,
                    allow_reconnect=False,  # at first: a refusal is to be raised, not tried again without an end
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=1,
                    connect_timeout=3,
                    ping_interval=5,
                    max_outstanding_pings=2,
                )
    except (OSError, TimeoutError, NatsError) as error:
        await _abandon(client)
        raise BusError(f"no connection to the bus at {url}: {str(error) or type(error).__name__}") from error
    except BaseException:
        await _abandon(client)
        raise
    client.options["allow_reconnect"] = True
    return client


async def _abandon(client: Client) -> None:
    try:
        await client.close()
    except (OSError, NatsError, AttributeError, AssertionError) as error:  # nats-py closes what it never opened
        log.debug("bus: closing: %s", error)


async def api(client: Client, subject: str, body: dict[str, Any] | None = None, timeout: float = 5) -> dict[str, Any]:  # noqa: ASYNC109
    """One call of the JetStream API. BusError with the server's words; its code is in `error.args[1]`."""
    try:
        with uncancelled():
            reply = await client.request(
                f"$JS.API.{subject}", json.dumps(body).encode() if body else b"", timeout=timeout
            )
    except NoRespondersError as error:
        raise BusError("the bus has JetStream switched off, or no leader", 503) from error
    except (OSError, TimeoutError, NatsError) as error:
        raise BusError(f"the bus did not answer {subject.split('.')[0]}: {type(error).__name__}", 0) from error
    answer: dict[str, Any] = json.loads(reply.data)
    if problem := answer.get("error"):
        raise BusError(problem.get("description", "refused"), problem.get("err_code", problem.get("code", 0)))
    return answer


__all__ = ["BusError", "BusFullError", "Client", "SellerFullError", "api", "connect", "uncancelled"]
