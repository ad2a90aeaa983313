# SPDX-License-Identifier: Apache-2.0
"""What the kubelet is told, over real HTTP."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from cairn.engine import health
from cairn.engine.cluster import Cluster, Request, Response
from cairn.engine.loop import Engine, Pace
from cairn.engine.metrics import RECONCILES


@pytest.fixture
def served() -> Iterator[tuple[health.Health, str]]:
    state = health.Health()
    server = health.serve(state, 0, "127.0.0.1")
    yield state, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_healthz_everything_moves_is_ok(served: tuple[health.Health, str]) -> None:
    state, url = served
    state.alive = health.all_of(health.loop_turns(lambda: 100.0, lambda: 129.0), health.workers_move(lambda: None))
    assert get(f"{url}/healthz") == (200, "ok\n")


def test_healthz_loop_stands_still_fails(served: tuple[health.Health, str]) -> None:
    state, url = served
    state.alive = health.loop_turns(lambda: 100.0, lambda: 131.0)
    assert get(f"{url}/healthz") == (500, "the event loop has stood still for 31 s\n")


def test_healthz_worker_stands_still_fails(served: tuple[health.Health, str]) -> None:
    state, url = served
    state.alive = health.all_of(health.loop_turns(lambda: 0, lambda: 0), health.workers_move(lambda: 5.0, lambda: 36.0))
    assert get(f"{url}/healthz") == (500, "a worker has stood still for 31 s\n")


def test_healthz_silent_watch_fails(served: tuple[health.Health, str]) -> None:
    state, url = served
    state.alive = health.watches_tell(lambda: {"Pod": 3, "Secret": 0})
    assert get(f"{url}/healthz") == (500, "the watch of Pod is silent\n")


def test_metrics_are_served_and_other_pages_are_not(served: tuple[health.Health, str]) -> None:
    _, url = served
    status, text = get(f"{url}/metrics")
    assert status == 200
    assert next(iter(RECONCILES.describe())).name in text
    assert get(f"{url}/secrets")[0] == 404


def test_healthz_blocked_event_loop_is_told_from_outside(served: tuple[health.Health, str]) -> None:
    """A real loop with a real engine's heartbeat, blocked for a second; the clock runs forty times as fast."""
    state, url = served
    engine = Engine([], Cluster(NoTransport()), pace=Pace(workers=1, heartbeat_seconds=0.05))
    state.alive = health.loop_turns(lambda: engine.heartbeat_at * 40, lambda: time.monotonic() * 40)
    blocked, over = threading.Event(), threading.Event()

    async def live() -> None:
        running = asyncio.create_task(engine.run())
        await asyncio.sleep(0.2)
        healthy.append(await asyncio.to_thread(get, f"{url}/healthz"))
        blocked.set()
        time.sleep(1.5)  # noqa: ASYNC251 - this is the fault
        over.set()
        await asyncio.sleep(0.2)
        healthy.append(await asyncio.to_thread(get, f"{url}/healthz"))
        running.cancel()

    healthy: list[tuple[int, str]] = []
    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    blocked.wait(10)
    while get(f"{url}/healthz")[0] == 200:
        assert not over.is_set(), "nobody noticed"
    thread.join()
    assert healthy == [(200, "ok\n"), (200, "ok\n")]


class NoTransport:
    """An API server without any optional API. Nothing else is asked: an engine without kinds lists nothing."""

    async def send(self, request: Request) -> Response:
        assert request.path.startswith("/apis/"), request
        return Response(404, {})

    async def close(self) -> None:
        """Nothing to close."""
