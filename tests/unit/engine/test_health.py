# SPDX-License-Identifier: Apache-2.0
"""What the kubelet is told, over real HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from cairn.engine import health
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
