# SPDX-License-Identifier: Apache-2.0
"""What the person in front of the demo sees: one line per step, with the time since the start and the step's own."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator


class DemoError(Exception):
    """The demo can't go on; the message says in one line what is missing, why, and the way on."""


_BEGAN = time.monotonic()


def say(text: str) -> None:
    """A line with the time since the start."""
    minutes, seconds = divmod(int(time.monotonic() - _BEGAN), 60)
    print(f"[{minutes:2d}:{seconds:02d}] {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    say(f"{title} …")
    began = time.monotonic()
    yield
    say(f"{title}: {time.monotonic() - began:.1f} s")


def awaited(what: str, state: Callable[[], str], *, seconds: float, every: float = 1.0) -> None:
    """Wait until `state` is empty: it says what is still missing, and is shown whenever it changes."""
    until = time.monotonic() + seconds
    shown = ""
    while missing := state():
        if missing != shown:
            say(f"  waiting for {what}: {missing}")
            shown = missing
        if time.monotonic() > until:
            raise DemoError(f"{what}: not within {seconds:.0f} s; last seen: {missing}")
        time.sleep(every)
