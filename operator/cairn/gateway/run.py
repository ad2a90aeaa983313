# SPDX-License-Identifier: Apache-2.0
"""The gateway as a process: serve until SIGTERM, answer what is under way, go."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from cairn.api.dataset import Dataset
from cairn.gateway.app import Gateway
from cairn.gateway.auth import Keys
from cairn.gateway.bus import Bus

log = logging.getLogger(__name__)


async def serve(
    bus: Bus, keys: Keys, datasets: Mapping[str, Dataset], host: str, port: int, *, drain_seconds: float = 20
) -> None:
    """Until SIGTERM or SIGINT. OSError when the address is taken."""
    keys.current()
    gateway = Gateway(bus, keys, datasets)
    runner = web.AppRunner(gateway.application(), access_log=None, shutdown_timeout=drain_seconds)
    await runner.setup()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    keeper = asyncio.create_task(bus.keep())
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        log.info("serving on %s:%d", host, port)
        await stop.wait()
        gateway.draining = True
        log.info("draining")
    finally:
        await runner.cleanup()
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper


def creds_of(file: Path) -> str:
    """Read at every (re)connect, so that a renewed Secret is used."""
    return file.read_text(encoding="ascii")
