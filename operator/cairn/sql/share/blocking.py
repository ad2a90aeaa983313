# SPDX-License-Identifier: Apache-2.0
"""A session of a driver that blocks: each call runs in a thread, one at a time; the socket's timeouts bound it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

Row = tuple[Any, ...]


class Blocking(ABC):
    """Not for two tasks at once."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def fetch(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        return await self._run(statement, parameters)

    async def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        await self._run(statement, parameters)

    async def close(self) -> None:
        async with self._lock:
            if self.open:
                await asyncio.to_thread(self._close)

    @property
    @abstractmethod
    def open(self) -> bool: ...

    @abstractmethod
    def abort(self) -> None:
        """Close the socket without a word."""

    @abstractmethod
    def _close(self) -> None: ...

    @abstractmethod
    def _query(self, statement: str, parameters: tuple[object, ...]) -> list[Row]: ...

    async def _run(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        async with self._lock:
            call = asyncio.to_thread(self._query, statement, tuple(parameters))
            try:
                return await asyncio.shield(call)
            except asyncio.CancelledError:
                self.abort()  # the thread's answer would be taken for the next statement's
                raise
