# SPDX-License-Identifier: Apache-2.0
"""What a member serves: /healthz, /readyz, the metrics of all its workers in one text, and each one's statistics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import aiohttp
from aiohttp import web

from cairn.pool.child import Child
from cairn.pool.member import Member

STUCK_SECONDS = 120.0
"""Longer than a round can take."""


def application(member: Member) -> web.Application:
    async def healthz(_request: web.Request) -> web.Response:
        late = time.monotonic() - member.turned
        stuck = late > STUCK_SECONDS
        return web.Response(status=503 if stuck else 200, text=f"no round for {late:.0f} s\n" if stuck else "ok\n")

    async def readyz(_request: web.Request) -> web.Response:
        text = "ok\n" if member.told else "no answer from the API server\n"
        return web.Response(status=200 if member.told else 503, text=text)

    async def metrics(_request: web.Request) -> web.Response:
        texts = await asyncio.gather(*(_metrics(child) for child in member.children.values()))
        own = (
            "# HELP cairn_pool_subscriptions Workers that this member runs.\n"
            "# TYPE cairn_pool_subscriptions gauge\n"
            f"cairn_pool_subscriptions {sum(child.running for child in member.children.values())}\n"
        )
        return web.Response(text=merged([own, *texts]), content_type="text/plain")

    async def statistics(request: web.Request) -> web.Response:
        name = f"{request.match_info['namespace']}--{request.match_info['name']}"
        child = member.children.get(name)
        if child is None:
            return web.json_response({"message": "another member runs this subscription's worker"}, status=404)
        path = f"/v1/{request.match_info['what']}"
        try:
            status, body = await child.get(f"{path}?{request.query_string}")
        except (OSError, aiohttp.ClientError, TimeoutError):
            return web.json_response({"message": "the worker gave no answer"}, status=503)
        return web.Response(status=status, body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/{namespace}/{name}/v1/{what:statistics(/diff)?}", statistics)
    return app


async def _metrics(child: Child) -> str:
    try:
        return (await child.get("/metrics"))[1].decode()
    except (OSError, aiohttp.ClientError, TimeoutError):
        return ""


def merged(texts: Iterable[str]) -> str:
    """Prometheus allows each metric once: its samples from all texts stand together."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for text in texts:
        heads: list[str] = []
        samples: list[str] = []
        for line in text.splitlines():
            if line.startswith("# HELP "):
                heads, samples = found.setdefault(line.split(" ")[2], ([], []))
                if not heads:
                    heads.append(line)
            elif line.startswith("#"):
                if len(heads) < 2:
                    heads.append(line)
            else:
                samples.append(line)
    return "".join(f"{line}\n" for heads, samples in found.values() for line in (*heads, *samples))
