# SPDX-License-Identifier: Apache-2.0
"""The platform's side over HTTP; docs/push.md has the protocol. No answer is trusted to be well-formed."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from cairn.api.proof import Head, Slice
from cairn.api.signing import signature
from cairn.worker.proof.source import NotAuthorizedError, SourceError

TIMEOUT_SECONDS = 60
MAX_ANSWER = 64 * 1024 * 1024

T = TypeVar("T")
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Slice(msgspec.Struct):
    start: str
    count: _Count
    sum: Annotated[str, msgspec.Meta(pattern="^[0-9]{1,40}$")]


class _Slices(msgspec.Struct):
    slices: list[_Slice]


class _Heads(msgspec.Struct):
    keys: list[tuple[int, str, Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]]]


class HttpSource:
    """For one seller. `key` is read at each request, so that a renewed Secret is used.

    heard: told whether the seller's authorisation was accepted, at each answer that says so
    answered: told at the end of each request whether it was answered with what was asked for
    """

    def __init__(
        self,
        url: str,
        seller: str,
        key: Callable[[], bytes],
        ca: bytes | None = None,
        heard: Callable[[bool], None] = lambda _: None,
        answered: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._heard, self._answered = heard, answered
        self._base, self._seller, self._key = URL(url), seller, key
        self._tls = ssl.create_default_context(cadata=ca.decode()) if ca else True
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def statistics(
        self, shop: str, dataset: str, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Slice]:
        query = {**_span(since, until), "step": str(int(step.total_seconds()))}
        raw = await self._ask("GET", (shop, dataset, "statistics"), query)
        found = [Slice(_moment(one.start), one.count, int(one.sum)) for one in _decoded(raw, _Slices).slices]
        if any(not since <= one.start < until or (one.start - since) % step for one in found):
            raise SourceError("statistics: a slice does not begin at since + k·step")
        return found

    async def keys(
        self, shop: str, dataset: str, since: datetime, until: datetime, after: int | None, limit: int
    ) -> Sequence[Head]:
        query = {**_span(since, until), "limit": str(limit)} | ({} if after is None else {"after": str(after)})
        raw = await self._ask("GET", (shop, dataset, "keys"), query)
        found = [Head(key, _moment(modified), hashed) for key, modified, hashed in _decoded(raw, _Heads).keys]
        numbers = [one.key for one in found]
        if numbers != sorted(set(numbers)) or (after is not None and numbers and numbers[0] <= after):
            raise SourceError("keys: not in order, or one twice")
        return found

    async def records(self, shop: str, dataset: str, keys: Sequence[int]) -> Sequence[bytes]:
        body = json.dumps({"keys": list(keys)}).encode()
        return _lines(await self._ask("POST", (shop, dataset, "records"), {}, body))

    async def history(
        self, shop: str, dataset: str, since: datetime, until: datetime, after: tuple[datetime, int] | None, limit: int
    ) -> Sequence[bytes]:
        query = {**_span(since, until), "limit": str(limit)}
        if after is not None:
            query |= {"afterModified": after[0].isoformat(), "afterKey": str(after[1])}
        return _lines(await self._ask("GET", (shop, dataset, "history"), query))

    async def _ask(self, method: str, at: tuple[str, ...], query: Mapping[str, str], body: bytes = b"") -> bytes:
        try:
            raw = await self._send(method, at, query, body)
        except SourceError:
            self._answered(False)
            raise
        self._answered(True)
        return raw

    async def _send(self, method: str, at: tuple[str, ...], query: Mapping[str, str], body: bytes) -> bytes:
        if self._session is None:
            raise RuntimeError("use it as a context manager")
        url = self._base.joinpath("v1", "source", self._seller, *at).with_query(query)
        stamp = str(int(time.time()))
        signed = signature(self._key(), method, url.raw_path_qs, stamp, body)
        headers = {"X-Cairn-Timestamp": stamp, "X-Cairn-Signature": signed}
        what = f"{method} {'/'.join(at)}"
        try:
            async with self._session.request(
                method, url, data=body or None, headers=headers, ssl=self._tls, allow_redirects=False
            ) as answer:
                if answer.status in (401, 403):
                    self._heard(False)
                    raise NotAuthorizedError(f"{what}: {answer.status}: the seller's authorisation is not accepted")
                if answer.status != 200:
                    raise SourceError(f"{what}: {answer.status}")
                self._heard(True)
                raw = bytearray()
                async for chunk in answer.content.iter_any():
                    raw += chunk
                    if len(raw) > MAX_ANSWER:
                        raise SourceError(f"{what}: more than {MAX_ANSWER} bytes")
                return bytes(raw)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SourceError(f"{what}: {type(error).__name__}") from error


def _span(since: datetime, until: datetime) -> dict[str, str]:
    return {"since": since.isoformat(), "until": until.isoformat()}


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SourceError("a time is none") from None
    if found.tzinfo is not None:
        raise SourceError("a time has a zone: the platform's wall clock has none")
    return found


def _decoded(raw: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.DecodeError as error:
        raise SourceError(f"not what was asked for: {error}"[:200]) from error


def _lines(raw: bytes) -> list[bytes]:
    return [line for line in raw.split(b"\n") if line.strip()]
