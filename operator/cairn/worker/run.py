# SPDX-License-Identifier: Apache-2.0
"""The worker as a process: put together from its configuration, run until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal

from aiohttp import web

from cairn.api.dataset import Dataset
from cairn.sql.writer import Writer
from cairn.worker.apply import Applier, Sink
from cairn.worker.config import WorkerConfig
from cairn.worker.decode import Decoder
from cairn.worker.http import application
from cairn.worker.lane import Budget, Lane
from cairn.worker.metrics import Metrics
from cairn.worker.service import Worker

log = logging.getLogger(__name__)


def sink(config: WorkerConfig, dataset: Dataset) -> Sink:
    """The session of a lane."""
    return Writer(config.database.target, dataset, f"cairn-push {config.subscription}")


def assemble(config: WorkerConfig) -> tuple[Worker, Metrics]:
    """A worker with a lane for each dataset."""
    metrics, budget = Metrics(config.subscription), Budget(config.budget_bytes)
    lanes = {}
    for dataset in config.datasets:
        lane = metrics.lane(dataset.name)
        applier = Applier(dataset.name, sink(config, dataset), lane, metrics)
        lanes[dataset.name] = Lane(Decoder(dataset, config.shops), applier, budget, lane, metrics)
    return Worker(config, lanes, budget, metrics), metrics


async def serve(config: WorkerConfig, host: str = "0.0.0.0") -> None:  # noqa: S104 -- the kubelet and Prometheus ask the pod's address
    """Until SIGTERM or SIGINT; then finish what is being written, acknowledge it, and give the rest back."""
    worker, metrics = assemble(config)
    runner = web.AppRunner(application(worker, metrics), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, config.metrics_port).start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    log.info("%s: datasets %s", config.subscription, ", ".join(dataset.name for dataset in config.datasets))
    try:
        await worker.run()
    finally:
        await runner.cleanup()
