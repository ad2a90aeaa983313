# SPDX-License-Identifier: Apache-2.0
"""What a worker serves: /healthz (would a restart help?), /readyz, /metrics, /pace, /v1/statistics."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import generate_latest

from cairn.worker.metrics import Metrics
from cairn.worker.proof.http_statistics import add_routes
from cairn.worker.proof.statistics import Statistics
from cairn.worker.service import Worker


def application(worker: Worker, metrics: Metrics, statistics: Statistics | None) -> web.Application:
    async def healthz(_request: web.Request) -> web.Response:
        why = worker.stuck()
        return web.Response(status=503 if why else 200, text=f"{why or 'ok'}\n")

    async def readyz(_request: web.Request) -> web.Response:
        if worker.ready:
            return web.Response(text="ok\n")
        held = "; ".join(f"{name}: {why}" for name, why in worker.held().items())
        return web.Response(status=503, text=f"{held or 'no connection to the bus'}\n")

    async def serve_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), content_type="text/plain")

    async def pace(_request: web.Request) -> web.Response:
        return web.json_response(metrics.pace())

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", serve_metrics)
    app.router.add_get("/pace", pace)
    add_routes(app, statistics)
    return app
