# SPDX-License-Identifier: Apache-2.0
"""POST of records: who is it, how much is it, is it right, does the bus have it; in this order."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from cairn.api.dataset import Dataset
from cairn.bus.connection import BusError, BusFullError, SellerFullError
from cairn.bus.interface import Publisher
from cairn.bus.pack import Pack, split
from cairn.gateway.answers import error, verdict
from cairn.gateway.auth import Claim, Entrance
from cairn.gateway.body import BODY_SECONDS, TooLargeError, TooSlowError, discard, read
from cairn.gateway.check import MAX_BODY, Check, TooManyError, checker
from cairn.gateway.limits import Buckets, Limits
from cairn.gateway.metrics import Metrics

MAX_REQUESTS = 64
"""Requests read at a time: bounds what stands in memory to MAX_REQUESTS · MAX_BODY."""

_SELLER = re.compile(r"[0-9]{1,20}")
_SHOP = re.compile(r"[0-9A-Za-z_-]{1,64}")
_KEY = re.compile(r"[!-~]{1,128}")


class Push:
    """The route that records come in by."""

    def __init__(
        self, bus: Publisher, entrance: Entrance, datasets: Mapping[str, Dataset], limits: Limits, metrics: Metrics
    ) -> None:
        self._bus, self._entrance, self._metrics = bus, entrance, metrics
        self._checks: dict[str, Check] = {name: checker(dataset) for name, dataset in datasets.items()}
        self._buckets = Buckets(limits)
        self._busy = 0
        self.body_seconds = BODY_SECONDS

    async def __call__(self, request: Request) -> Response:
        if (refused := self._refused_unread(request)) is not None:
            await discard(request)
            return refused
        self._busy += 1
        try:
            return await self._read(request)
        except ClientDisconnect:
            return error(400, "the connection was lost before the body was there")  # nobody hears it; it is counted
        finally:
            self._busy -= 1

    def _refused_unread(self, request: Request) -> Response | None:
        """What can be said without the body."""
        place, headers = request.path_params, request.headers
        if place["dataset"] not in self._checks:
            known = ", ".join(sorted(self._checks))
            return error(404, f"no dataset {place['dataset'][:64]!r}: there are {known}", close=True)
        if not _SELLER.fullmatch(place["seller"]) or not _SHOP.fullmatch(place["shop"]):
            return error(404, "no such seller or shop: both are ids", close=True)
        if (away := self._entrance.turned_away(_claim(request))) is not None:
            return error(*away, close=True)
        if headers.get("Content-Encoding", "identity") != "identity":
            return error(415, "Content-Encoding: a body is sent as it is", close=True)
        if "Idempotency-Key" in headers and not _KEY.fullmatch(headers["Idempotency-Key"]):
            return error(400, "Idempotency-Key: 1 to 128 visible ASCII characters are wanted", close=True)
        if wait := self._buckets.wait(place["seller"], time.monotonic()):
            return _too_many(wait)
        if self._busy >= MAX_REQUESTS:
            return error(503, "too many requests at once", retry_after=1, close=True)
        return None

    async def _read(self, request: Request) -> Response:
        try:
            body = await read(request, MAX_BODY, self.body_seconds)
        except TooLargeError:
            return error(413, f"a request holds at most {MAX_BODY} bytes", close=True)
        except TooSlowError:
            return error(408, f"the body was not there within {self.body_seconds:g} s", close=True)
        why = self._entrance.refusal(_claim(request), request.method, target(request), body)
        if why is not None:
            return error(401, why)
        return await self._take(request, body)

    async def _take(self, request: Request, body: bytes) -> Response:
        """A body of somebody who may push."""
        seller, shop, dataset = (request.path_params[name] for name in ("seller", "shop", "dataset"))
        if wait := self._buckets.wait(seller, time.monotonic()):  # others of the seller's came in while it was read
            return _too_many(wait)
        try:
            records, refused = self._checks[dataset](body)
        except TooManyError as problem:
            return error(413, str(problem))
        self._buckets.take(seller, len(records), time.monotonic())
        published = time.time_ns() // 1000
        taken = False
        try:
            for members in split(records):
                pack = Pack(f"push.{seller}.{shop}.{dataset}", published, members)
                await self._publish(pack, request.headers.get("Idempotency-Key", ""))
            taken = True
        except SellerFullError as problem:
            self._metrics.seller_full.inc()
            return error(503, str(problem), retry_after=30)
        except BusFullError as problem:
            return error(503, f"the bus is full: {problem}", retry_after=5)
        except BusError as problem:
            return error(503, f"the bus is not there: {problem}", retry_after=1)
        finally:
            if not taken:
                self._buckets.take(seller, -len(records), time.monotonic())
        self._metrics.accepted.labels(dataset).inc(len(records))
        self._metrics.rejected.labels(dataset).inc(len(refused))
        return verdict(len(records), refused)

    async def _publish(self, pack: Pack, request: str) -> None:
        begun = time.perf_counter()
        if await self._bus.publish(pack, request):
            self._metrics.duplicates.inc()
        self._metrics.publish.observe(time.perf_counter() - begun)


def target(request: Request) -> str:
    """Path and query as they were sent: what is signed."""
    path, query = request.scope.get("raw_path") or b"", request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


def _claim(request: Request) -> Claim:
    headers = request.headers
    subject = request.scope.get("state", {}).get("subject")
    return Claim(headers.get("X-Cairn-Timestamp", ""), headers.get("X-Cairn-Signature", ""), subject)


def _too_many(wait: float) -> Response:
    return error(429, "the seller's records come faster than its limit", retry_after=min(wait, 3600), close=True)
