# SPDX-License-Identifier: Apache-2.0
"""A session of a driver that blocks: each call runs in a thread, one at a time; the socket's timeouts bound it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, TypeVarTuple

Row = tuple[Any, ...]
Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")


class Blocking(ABC):
    """Not for two tasks at once."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def fetch(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        return await self._run(self._query, statement, tuple(parameters))

    async def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        await self._run(self._query, statement, tuple(parameters))

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

    async def _run(self, call: Callable[[*Arguments], Answer], *arguments: *Arguments) -> Answer:
        async with self._lock:
            answer = asyncio.to_thread(call, *arguments)
            try:
                return await asyncio.shield(answer)
            except asyncio.CancelledError:
                self.abort()  # the thread's answer would be taken for the next statement's
                raise
