# SPDX-License-Identifier: Apache-2.0
"""A library that cancels what waits for its connection must not end the task that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from cairn.bus.connection import BusError, uncancelled


async def waiting(for_what: Awaitable[None]) -> None:
    with uncancelled():
        await for_what


async def test_future_that_another_cancels_is_a_lost_connection() -> None:
    future: asyncio.Future[None] = asyncio.Future()
    task = asyncio.create_task(waiting(future))
    await asyncio.sleep(0)
    future.cancel()
    with pytest.raises(BusError):
        await task


async def test_task_that_is_cancelled_itself_ends() -> None:
    task = asyncio.create_task(waiting(asyncio.Future()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_timeout_stays_one() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await waiting(asyncio.Future())
