# SPDX-License-Identifier: Apache-2.0
"""The HTTP side: a record is accepted when the bus has it, and never before."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web
from prometheus_client import generate_latest

from cairn.api.dataset import Dataset
from cairn.bus.connection import BusError, BusFullError
from cairn.bus.pack import Pack, split
from cairn.gateway.auth import Keys, refusal
from cairn.gateway.check import MAX_BODY, Check, Refused, TooManyError, checker
from cairn.gateway.metrics import Metrics

MAX_REQUESTS = 64
"""Requests read at a time: bounds what stands in memory to MAX_REQUESTS · MAX_BODY."""

_SELLER = re.compile(r"[0-9]{1,20}")
_SHOP = re.compile(r"[0-9A-Za-z_-]{1,64}")
_ROUTE = "/v1/push/{seller}/{shop}/{dataset}"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Publisher(Protocol):
    """What the gateway needs of the bus."""

    @property
    def connected(self) -> bool:
        """Whether publishing has a chance."""

    async def publish(self, pack: Pack) -> bool:
        """Store it; whether it was stored before. Raises BusError, BusFullError."""


class Gateway:
    """The application. `draining` makes /readyz fail, so that no new requests are sent here."""

    def __init__(self, bus: Publisher, keys: Keys, datasets: Mapping[str, Dataset]) -> None:
        self._bus, self._keys = bus, keys
        self._checks: dict[str, Check] = {name: checker(dataset) for name, dataset in datasets.items()}
        self._busy = 0
        self.draining = False
        self.metrics = Metrics()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._counted])
        app.router.add_post(_ROUTE, self._push)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        return app

    @web.middleware
    async def _counted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _error(error.status, error.reason)
        if request.method == "POST":
            self.metrics.requests.labels(str(response.status)).inc()
        return response

    async def _push(self, request: web.Request) -> web.Response:
        match = request.match_info
        check = self._checks.get(match["dataset"])
        if check is None:
            return _error(404, f"no dataset {match['dataset']!r}: there are {', '.join(sorted(self._checks))}")
        if not _SELLER.fullmatch(match["seller"]) or not _SHOP.fullmatch(match["shop"]):
            return _error(404, "no such seller or shop: both are ids")
        if request.content_length is not None and request.content_length > MAX_BODY:
            return _error(413, f"a request holds at most {MAX_BODY} bytes")
        if self._busy >= MAX_REQUESTS:
            return _error(503, "too many requests at once", retry_after=1)
        self._busy += 1
        try:
            return await self._read(request, check)
        finally:
            self._busy -= 1

    async def _read(self, request: web.Request, check: Check) -> web.Response:
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _error(413, f"a request holds at most {MAX_BODY} bytes")
        headers = request.headers
        timestamp, signed = headers.get("X-Cairn-Timestamp", ""), headers.get("X-Cairn-Signature", "")
        why = refusal(self._keys.current(), request.method, request.raw_path, timestamp, signed, body)
        if why is not None:
            return _error(401, why)
        try:
            records, refused = check(body)
        except TooManyError as error:
            return _error(413, str(error))
        dataset = request.match_info["dataset"]
        subject = f"push.{request.match_info['seller']}.{request.match_info['shop']}.{dataset}"
        published = time.time_ns() // 1000
        try:
            for members in split(records):
                await self._publish(Pack(subject, published, members))
        except BusFullError as error:
            return _error(503, f"the bus is full: {error}", retry_after=5)
        except BusError as error:
            return _error(503, f"the bus is not there: {error}", retry_after=1)
        self.metrics.accepted.labels(dataset).inc(len(records))
        self.metrics.rejected.labels(dataset).inc(len(refused))
        return _answer(len(records), refused)

    async def _publish(self, pack: Pack) -> None:
        begun = time.perf_counter()
        if await self._bus.publish(pack):
            self.metrics.duplicates.inc()
        self.metrics.publish.observe(time.perf_counter() - begun)

    async def _healthz(self, _request: web.Request) -> web.Response:
        """The process answers. A bus that is down is no reason to be restarted."""
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        if self.draining:
            return web.Response(status=503, text="draining\n")
        if not self._bus.connected:
            return web.Response(status=503, text="no connection to the bus\n")
        return web.Response(text="ok\n")

    async def _metrics(self, _request: web.Request) -> web.Response:
        self.metrics.connected.set(self._bus.connected)
        return web.Response(body=generate_latest(self.metrics.registry), content_type="text/plain")


def _answer(accepted: int, refused: list[Refused]) -> web.Response:
    if not accepted and not refused:
        return _error(400, "no records: the body is one JSON record a line")
    body = {"accepted": accepted, "rejected": [{"line": one.line, "reason": one.reason} for one in refused]}
    return web.Response(status=202 if accepted else 400, text=json.dumps(body) + "\n", content_type="application/json")


def _error(status: int, why: str, retry_after: int | None = None) -> web.Response:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    body = json.dumps({"accepted": 0, "rejected": [], "error": why}) + "\n"
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)
