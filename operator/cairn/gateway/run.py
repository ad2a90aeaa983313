# SPDX-License-Identifier: Apache-2.0
"""The gateway as a process: serve until SIGTERM, answer what is under way, go."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cairn.api.dataset import Dataset
from cairn.bus.interface import KeptPublisher
from cairn.gateway.app import Gateway
from cairn.gateway.auth import Entrance
from cairn.gateway.limits import Limits
from cairn.gateway.server import Server, listen
from cairn.gateway.tls import Files

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is served.

    linger_seconds: from SIGTERM on, new connections are still taken for so long, until load balancers know
    drain_seconds: what is under way then has so long
    """

    host: str
    port: int
    tls: Files | None = None
    limits: Limits = field(default_factory=Limits)
    linger_seconds: float = 0
    drain_seconds: int = 20


async def serve(bus: KeptPublisher, entrance: Entrance, datasets: Mapping[str, Dataset], settings: Settings) -> None:
    """Until SIGTERM or SIGINT. OSError when the address is taken, or a file of TLS isn't there."""
    if entrance.keys is not None:
        entrance.keys.current()
    gateway = Gateway(bus, entrance, datasets, settings.limits)
    context = None if settings.tls is None else settings.tls.context()
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns about every request that is no HTTP
    server = Server(gateway.application(), context, settings.drain_seconds)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keepers = [asyncio.create_task(bus.keep())]
    if settings.tls is not None and context is not None:
        keepers.append(asyncio.create_task(settings.tls.keep(context)))
    try:
        with listen(settings.host, settings.port) as listener:
            serving = asyncio.create_task(server.serve([listener]))
            log.info("serving on %s:%d", settings.host, settings.port)
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            log.info("draining")
            gateway.draining = True
            await asyncio.wait((serving,), timeout=settings.linger_seconds)
            server.should_exit = True
            await serving
    finally:
        for keeper in keepers:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper


def creds_of(file: Path) -> str:
    """Read at every (re)connect, so that a renewed Secret is used."""
    return file.read_text(encoding="ascii")
