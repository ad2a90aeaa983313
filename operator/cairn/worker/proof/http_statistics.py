# SPDX-License-Identifier: Apache-2.0
"""GET /v1/statistics and /v1/statistics/diff. Keys of records, never their content."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from aiohttp import web

from cairn.worker.faults import DATABASE_ERRORS
from cairn.worker.proof.sides import Feed
from cairn.worker.proof.source import SourceError
from cairn.worker.proof.statistics import Side, Statistics

PAGE = 500
Handler = Callable[[web.Request], Awaitable[web.Response]]


class _WrongError(Exception):
    """What was asked is no question. Its text names the parameter, the value and what would be right."""


def add_routes(app: web.Application, statistics: Statistics | None) -> None:
    """None: there is no platform to compare with."""

    async def hours(request: web.Request) -> web.Response:
        asked = _Asked(request, statistics)
        found = [
            {
                "dataset": feed.dataset.name,
                "shop": window.shop,
                "start": window.start.isoformat(),
                "sent": window.sent,
                "stood": window.stood,
                "missing": window.missing,
                "stale": window.stale,
                "wrong": window.wrong,
                "quarantined": window.quarantined,
                "extra": window.extra,
                "repaired": window.repaired,
                "audited_at": window.at.isoformat(),
            }
            for feed, window in await asked.statistics.hours(asked.day())
        ]
        return web.json_response({"date": asked.day().strftime("%Y%m%d"), "hours": found})

    async def diff(request: web.Request) -> web.Response:
        asked = _Asked(request, statistics)
        pre, post = asked.side("pre", Side.SOURCE), asked.side("post", Side.DESTINATION)
        if pre is post:
            raise _WrongError(f"pre and post are both {pre}: one must be source, the other destination")
        page = asked.page()
        keys = await asked.statistics.lacking(asked.feeds(), asked.day(), post)
        return web.json_response({"tids": keys[(page - 1) * PAGE : page * PAGE], "total_results": len(keys)})

    app.router.add_get("/v1/statistics", _told(hours))
    app.router.add_get("/v1/statistics/diff", _told(diff))


class _Asked:
    def __init__(self, request: web.Request, statistics: Statistics | None) -> None:
        if statistics is None:
            raise _WrongError("no platform to compare with: push.source of the chart names one")
        self.statistics, self._query = statistics, request.query

    def day(self) -> datetime:
        text = self._query.get("date", "")
        try:
            return datetime.strptime(text if len(text) == 8 else "", "%Y%m%d")  # noqa: DTZ007 -- the platform's wall clock has no zone
        except ValueError:
            raise _WrongError(f"date: {text[:20]!r} is no day: write YYYYMMDD") from None

    def side(self, name: str, default: Side) -> Side:
        text = self._query.get(name, default)
        try:
            return Side(text)
        except ValueError:
            raise _WrongError(f"{name}: {text[:20]!r} is neither source nor destination") from None

    def page(self) -> int:
        text = self._query.get("page_no", "1")
        if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text) > 0):
            raise _WrongError(f"page_no: {text[:20]!r} is no page: the first is 1")
        return int(text)

    def feeds(self) -> Sequence[Feed]:
        """Those of one dataset, since keys of two would not be told apart."""
        feeds = self.statistics.feeds
        name = self._query.get("dataset", "trades")
        shop = self._query.get("shop")
        of = [feed for feed in feeds if feed.dataset.name == name]
        if not of:
            known = ", ".join(sorted({feed.dataset.name for feed in feeds}))
            raise _WrongError(f"dataset: {name[:40]!r} is not pushed here: one of {known}")
        chosen = [feed for feed in of if shop in (None, feed.shop)]
        if not chosen:
            raise _WrongError(f"shop: {str(shop)[:40]!r} is not pushed here: one of {', '.join(f.shop for f in of)}")
        return chosen


def _told(answer: Handler) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        try:
            return await answer(request)
        except _WrongError as error:
            return web.json_response({"error": str(error)}, status=400)
        except SourceError as error:
            return web.json_response({"error": f"the platform: {error}"}, status=502)
        except DATABASE_ERRORS as error:
            return web.json_response({"error": f"the database: {type(error).__name__}"}, status=503)

    return handler
