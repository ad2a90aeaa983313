# SPDX-License-Identifier: Apache-2.0
"""The platform over HTTP, on loopback."""

from __future__ import annotations

import pytest
from aiohttp import web

from cairn.worker.proof.http_source import HttpSource
from cairn.worker.proof.source import NotAuthorizedError, SourceError
from data.servers import free_port


async def test_answers_tell_whether_the_authorisation_was_accepted() -> None:
    answers = iter([401, 500, 403, 200])

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=next(answers))

    app, port, heard = web.Application(), free_port(), list[bool]()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with HttpSource(f"http://127.0.0.1:{port}", "2088", lambda: b"key", heard=heard.append) as source:
            for error in (NotAuthorizedError, SourceError, NotAuthorizedError):
                with pytest.raises(error):
                    await source.records("55501", "trades", [1])
            assert await source.records("55501", "trades", [1]) == []
    finally:
        await runner.cleanup()
    assert heard == [False, False, True], "an error of the server says nothing of it"
