# SPDX-License-Identifier: Apache-2.0
"""/healthz, /readyz and /metrics, served from a thread of its own so that a blocked event loop can still be told.

Health is progress: it fails when the loop or a worker stands still, not when the API server is down, which a restart
of the operator would not mend.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

SILENCE_SECONDS = 30.0
MISSED_IN_A_ROW = 3

Check = Callable[[], str]
"""Returns what is wrong, or nothing."""


class Health:
    """The answers. `alive` and `ready` are replaced as the process moves from standby to leader."""

    def __init__(self) -> None:
        self.alive: Check = str
        self.ready: Check = str
        self._metrics = make_wsgi_app()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            answer: Iterable[bytes] = self._metrics(environ, start_response)
            return answer
        check = {"/healthz": self.alive, "/readyz": self.ready}.get(path)
        wrong = check() if check else "no such page"
        status = "404 Not Found" if not check else "500 Internal Server Error" if wrong else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{wrong or 'ok'}\n".encode()]


def serve(health: Health, port: int, host: str = "") -> WSGIServer:
    """Serve in a daemon thread. Port 0 takes a free one: see `server_port` of what is returned."""
    server = make_server(host, port, health, handler_class=_QuietHandler)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="health", daemon=True).start()
    return server


def loop_turns(heartbeat_at: Callable[[], float], clock: Callable[[], float] = time.monotonic) -> Check:
    """Fails when the event loop has not shown itself for 30 s."""

    def check() -> str:
        silence = clock() - heartbeat_at()
        return f"the event loop has stood still for {silence:.0f} s" if silence > SILENCE_SECONDS else ""

    return check


def workers_move(oldest_since: Callable[[], float | None], clock: Callable[[], float] = time.monotonic) -> Check:
    """Fails when one pass has been under way for 30 s: passes are broken off at 25."""

    def check() -> str:
        since = oldest_since()
        age = 0.0 if since is None else clock() - since
        return f"a worker has stood still for {age:.0f} s" if age > SILENCE_SECONDS else ""

    return check


def watches_tell(missed_in_a_row: Callable[[], dict[str, int]]) -> Check:
    """Fails when several resyncs in a row found changes that a watch never told: it has gone silent."""

    def check() -> str:
        silent = sorted(kind for kind, times in missed_in_a_row().items() if times >= MISSED_IN_A_ROW)
        return f"the watch of {', '.join(silent)} is silent" if silent else ""

    return check


def all_of(*checks: Check) -> Check:
    return lambda: "; ".join(wrong for check in checks if (wrong := check()))


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Probes every few seconds are no news."""
