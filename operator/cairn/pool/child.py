# SPDX-License-Identifier: Apache-2.0
"""One subscription's worker as a process of its own: its trouble, its memory and its end are nobody else's.

It is the program of every worker, in a directory with its configuration and its secrets, and is asked over a socket
there. It ends with the member: its standard input ends then.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from cairn.pool.pace import Pace, heard

log = logging.getLogger(__name__)

CONFIG, SOCKET = "worker.json", "http.sock"
SICK = 6
"""So many looks in a row at a worker that says a restart would help end it."""
STOP_SECONDS = 45.0
"""Longer than a worker takes to end by itself."""
PAUSE_SECONDS = (1.0, 60.0)
"""Before it is started again: at first, at most."""
STEADY_SECONDS = 120.0
"""After so long its earlier ends no longer count."""


class Child:
    """The worker of one subscription, as long as this member has it."""

    def __init__(self, name: str, base: Path) -> None:
        self.name, self.config, self.restarts = name, "", 0
        # its own name may be longer than a socket's path
        self._home = base / hashlib.sha256(name.encode()).hexdigest()[:12]
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = 0.0
        self._began, self._pause, self._not_before = 0.0, PAUSE_SECONDS[0], 0.0
        self._sick = 0
        self.ready = False
        self.pace = Pace()

    @property
    def running(self) -> bool:
        """Or still ending."""
        return self._process is not None and self._process.returncode is None

    @property
    def may_start(self) -> bool:
        return not self.running and time.monotonic() >= self._not_before

    @property
    def socket(self) -> Path:
        return self._home / SOCKET

    async def start(self, config: str, files: Mapping[str, str], memory: int) -> None:
        """files: base64 by name, as a Secret has them. memory: bytes that it may hold."""
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(mode=0o700, parents=True)
        for name, content in files.items():
            (self._home / name).write_bytes(base64.b64decode(content))
        command = [sys.executable, "-m", "cairn", "worker", "--config", CONFIG, "--socket", SOCKET]
        self._process = await asyncio.create_subprocess_exec(
            *command, cwd=self._home, stdin=asyncio.subprocess.PIPE, env=_environment()
        )
        self.bound(memory)
        self.config, self.ready, self._sick, self._stopping = config, False, 0, 0.0
        self._began = time.monotonic()
        log.info("%s: started", self.name)

    def bound(self, memory: int) -> None:
        """How much memory it may hold, from now on."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(self._process.pid, resource.RLIMIT_DATA, (memory, resource.RLIM_INFINITY))

    def stop(self) -> None:
        """Ask it to end; when asked for long enough, end it. What it did not commit is delivered again."""
        now = time.monotonic()
        if self._process is None or not self.running:
            return
        with contextlib.suppress(ProcessLookupError):
            if not self._stopping:
                self._stopping = now
                self._process.send_signal(signal.SIGTERM)
            elif now > self._stopping + STOP_SECONDS:
                self._process.kill()

    async def ended(self) -> None:
        if self._process is not None:
            await self._process.wait()

    async def look(self) -> None:
        """How it is. One that ended by itself is to be started again, after a pause."""
        if self._process is None:
            return
        if not self.running:
            self._fell()
            return
        asked = (self._asked("/healthz"), self._asked("/readyz"), self._paced())
        healthy, self.ready, self.pace = await asyncio.gather(*asked)
        if time.monotonic() - self._began > STEADY_SECONDS:
            self._pause = PAUSE_SECONDS[0]
        self._sick = 0 if healthy else self._sick + 1
        if self._sick >= SICK and not self._stopping:
            log.warning("%s: stuck: it is ended", self.name)
            self._process.kill()

    def _fell(self) -> None:
        code = self._process.returncode if self._process else 0
        self._process, self.ready, self.pace = None, False, Pace()
        shutil.rmtree(self._home, ignore_errors=True)
        if not self._stopping:
            self.restarts += 1
            self._not_before = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, PAUSE_SECONDS[1])
            log.warning("%s: ended with %s", self.name, code)

    async def get(self, path: str) -> tuple[int, bytes]:
        """What its worker answers. OSError or aiohttp.ClientError where it does not."""
        connector = aiohttp.UnixConnector(str(self.socket))
        timeout = aiohttp.ClientTimeout(total=5)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"http://worker{path}") as answer,
        ):
            return answer.status, await answer.read()

    async def _paced(self) -> Pace:
        try:
            return heard(json.loads((await self.get("/pace"))[1]))
        except (OSError, ValueError, aiohttp.ClientError, TimeoutError):
            return Pace()

    async def _asked(self, path: str) -> bool:
        try:
            return (await self.get(path))[0] == 200
        except (OSError, aiohttp.ClientError, TimeoutError):
            return False


def _environment() -> dict[str, str]:
    """Without where the API server is: a worker has no business there. Each arena that threads allocate from holds on
    to what it was given: two of them are enough."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KUBERNETES_")}
    return kept | {"MALLOC_ARENA_MAX": "2"}
