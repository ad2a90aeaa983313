# SPDX-License-Identifier: Apache-2.0
"""The simulator over HTTP: the protocol of docs/push.md, and what a test wants of it."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from aiohttp import web

from cairn.api.signing import signature, source_key
from cairn.platform_sim.book import Book

MAX_KEYS = 500
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Application:
    """authorized: ids of sellers who let their records be read. platform_key: what sellers' keys are made of.

    oversold: counts units sold above stock in the seller's database
    """

    def __init__(
        self,
        book: Book,
        platform_key: bytes,
        authorized: set[str],
        oversold: Callable[[], Awaitable[int]] | None = None,
    ) -> None:
        self._book, self._platform_key, self.authorized = book, platform_key, authorized
        self._oversold = oversold

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._signed], client_max_size=64 * 1024 * 1024)
        at = "/v1/source/{seller}/{shop}/{dataset}"
        app.router.add_get(f"{at}/statistics", self._statistics)
        app.router.add_get(f"{at}/keys", self._keys)
        app.router.add_post(f"{at}/records", self._records)
        app.router.add_get(f"{at}/history", self._history)
        app.router.add_get("/sim/{seller}/{shop}/report", self._report)
        app.router.add_post("/sim/{seller}/{shop}/{dataset}", self._take)
        app.router.add_put("/sim/{seller}/authorization", self._authorize)
        app.router.add_get("/healthz", self._healthz)
        return app

    @web.middleware
    async def _signed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/healthz":
            return await handler(request)
        seller, body = request.match_info.get("seller", ""), await request.read()
        stamp = request.headers.get("X-Cairn-Timestamp", "")
        key = source_key(self._platform_key, seller).encode()
        wanted = signature(key, request.method, request.raw_path, stamp, body)
        fresh = stamp.isdigit() and abs(time.time() - int(stamp)) < 300
        if not fresh or request.headers.get("X-Cairn-Signature") != wanted:
            return web.json_response({"error": "not signed with this seller's key"}, status=403)
        if seller not in self.authorized and request.path.startswith("/v1/"):
            return web.json_response({"error": "the seller's authorisation has expired"}, status=401)
        if request.match_info.get("dataset", "trades") not in self._book.datasets:
            return web.json_response({"error": "no such dataset"}, status=404)
        try:
            return await handler(request)
        except (KeyError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)

    async def _statistics(self, request: web.Request) -> web.Response:
        step = timedelta(seconds=int(request.query["step"]))
        found = self._book.statistics(*_where(request), *_span(request), step)
        slices = [{"start": one.start.isoformat(), "count": one.records, "sum": str(one.total)} for one in found]
        return web.json_response({"slices": slices})

    async def _keys(self, request: web.Request) -> web.Response:
        after = int(request.query["after"]) if "after" in request.query else None
        found = self._book.keys(*_where(request), *_span(request), after, int(request.query["limit"]))
        return web.json_response({"keys": [[one.key, one.modified.isoformat(" "), one.hash] for one in found]})

    async def _records(self, request: web.Request) -> web.Response:
        keys = json.loads(await request.read())["keys"]
        if len(keys) > MAX_KEYS:
            raise ValueError(f"keys: more than {MAX_KEYS}")
        return _lines(self._book.records(*_where(request), keys))

    async def _history(self, request: web.Request) -> web.Response:
        query = request.query
        after = None
        if "afterModified" in query:
            after = (datetime.fromisoformat(query["afterModified"]), int(query["afterKey"]))
        return _lines(self._book.history(*_where(request), *_span(request), after, int(query["limit"])))

    async def _take(self, request: web.Request) -> web.Response:
        """Records come about. ?push=no: they are never pushed, as if a push had been lost."""
        shop, dataset = _where(request)
        lines = [line for line in (await request.read()).split(b"\n") if line]
        self._book.take(dataset, shop, lines, push=request.query.get("push") != "no")
        return web.json_response({"taken": len(lines)})

    async def _report(self, request: web.Request) -> web.Response:
        """What was played; with the seller's database, how much of it is oversold there."""
        report: dict[str, int] = self._book.report(request.match_info["shop"])
        if self._oversold is not None:
            report["oversoldInDatabase"] = await self._oversold()
        return web.json_response(report)

    async def _authorize(self, request: web.Request) -> web.Response:
        """Body: {"granted": true} or false."""
        seller = request.match_info["seller"]
        if json.loads(await request.read())["granted"]:
            self.authorized.add(seller)
        else:
            self.authorized.discard(seller)
        return web.json_response({})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")


def _where(request: web.Request) -> tuple[str, str]:
    return request.match_info["shop"], request.match_info["dataset"]


def _span(request: web.Request) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(request.query["since"]), datetime.fromisoformat(request.query["until"])


def _lines(payloads: Sequence[bytes]) -> web.Response:
    return web.Response(body=b"".join(one + b"\n" for one in payloads), content_type="application/x-ndjson")
