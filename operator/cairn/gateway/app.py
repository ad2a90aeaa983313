# SPDX-License-Identifier: Apache-2.0
"""The HTTP side: a record is accepted when the bus has it, and never before."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cairn.api.dataset import Dataset
from cairn.bus.interface import Publisher
from cairn.gateway.answers import error
from cairn.gateway.auth import Entrance
from cairn.gateway.limits import Limits
from cairn.gateway.metrics import Metrics
from cairn.gateway.openapi import ROUTE, description
from cairn.gateway.page import page
from cairn.gateway.push import Push


class Gateway:
    """The application. `draining` makes /readyz fail, and every answer the last on its connection."""

    def __init__(
        self, bus: Publisher, entrance: Entrance, datasets: Mapping[str, Dataset], limits: Limits | None = None
    ) -> None:
        self._bus = bus
        self.draining = False
        self.metrics = Metrics()
        self.push = Push(bus, entrance, datasets, limits or Limits(), self.metrics)
        self._described = description(datasets)
        self._page = page(self._described)

    def application(self) -> ASGIApp:
        routes = [
            Route(ROUTE, self.push.__call__, methods=["POST"]),
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/metrics", self._metrics),
            Route("/openapi.json", self._openapi),
            Route("/", self._readable),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _problem})
        app.router.redirect_slashes = False
        return self._watched(app)

    def _watched(self, app: ASGIApp) -> ASGIApp:
        """Counts answers to POST by their status, whoever gives them."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            async def counted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    if scope["method"] == "POST":
                        self.metrics.requests.labels(str(message["status"])).inc()
                    if self.draining and not any(name == b"connection" for name, _ in message["headers"]):
                        message["headers"].append((b"connection", b"close"))
                await send(message)

            await app(scope, receive, counted)

        return watched

    async def _healthz(self, _request: Request) -> Response:
        """The process answers. A bus that is down is no reason to be restarted."""
        return PlainTextResponse("ok\n")

    async def _readyz(self, _request: Request) -> Response:
        if self.draining:
            return PlainTextResponse("draining\n", 503)
        if not self._bus.connected:
            return PlainTextResponse("no connection to the bus\n", 503)
        return PlainTextResponse("ok\n")

    async def _metrics(self, _request: Request) -> Response:
        self.metrics.connected.set(self._bus.connected)
        return PlainTextResponse(generate_latest(self.metrics.registry))

    async def _openapi(self, _request: Request) -> Response:
        return Response(self._described, media_type="application/json")

    async def _readable(self, _request: Request) -> Response:
        return HTMLResponse(
            self._page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )


async def _problem(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)  # noqa: S101  by whom it is registered for
    answer = error(problem.status_code, problem.detail, close=True)
    answer.headers.update(problem.headers or {})
    return answer
