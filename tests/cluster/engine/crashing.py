# SPDX-License-Identifier: Apache-2.0
"""A transport that ends the process at a chosen call."""

from __future__ import annotations

from cairn.engine.cluster import Request, Response, Transport


class Crash(BaseException):
    """The process ends here. No handler of the engine may catch it."""


class CrashingTransport:
    """Ends the process at the n-th call: before it is sent, or after the server acted and before its answer came."""

    def __init__(self, inner: Transport, at: int, *, after: bool) -> None:
        self._inner = inner
        self._at = at
        self._after = after
        self.calls: list[str] = []

    async def send(self, request: Request) -> Response:
        self.calls.append(request.method)
        strikes = len(self.calls) == self._at
        if strikes and not self._after:
            raise Crash
        response = await self._inner.send(request)
        if strikes:
            raise Crash
        return response

    def strike_in(self, calls: int) -> None:
        """From now on, at the n-th call."""
        self._at = len(self.calls) + calls

    async def close(self) -> None:
        """The inner transport is the fixture's."""
