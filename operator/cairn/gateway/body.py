# SPDX-License-Identifier: Apache-2.0
"""Reading what is sent: never more than may be kept, never longer than is reasonable."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

BODY_SECONDS = 30.0
"""For the whole body: at the largest size, 35 KB/s."""

DISCARD_SECONDS = 2.0
DISCARD_BYTES = 4 * 1024 * 1024


class TooLargeError(ValueError):
    """More than the limit; nothing of it is kept."""


class TooSlowError(ValueError):
    """Not there in time; the rest was not read."""


async def read(request: Request, limit: int, seconds: float) -> bytes:
    """The body. TooLargeError (before a byte is read, when its length is told), TooSlowError, ClientDisconnect."""
    told = request.headers.get("Content-Length", "")
    if told.isdigit() and int(told) > limit:
        await discard(request)
        raise TooLargeError
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(seconds):
            while more and len(body) <= limit:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                body += message.get("body", b"")
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise TooSlowError from error
    if len(body) > limit:
        if more:
            await discard(request)
        raise TooLargeError
    return bytes(body)


async def discard(request: Request) -> None:
    """Let go of some of a body that won't be kept.

    A connection that is closed with bytes unread is reset, and takes the answer that says why along. Who waits for
    `100 Continue` has not sent any.
    """
    if "Expect" in request.headers:
        return
    seen = 0
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while seen < DISCARD_BYTES:
                message = await request.receive()
                seen += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
    except TimeoutError:
        return
