# SPDX-License-Identifier: Apache-2.0
"""The worker as a process: put together from its configuration, run until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from cairn.api.dataset import Dataset
from cairn.sql.push.engine import PushDesk, PushLedger, PushWriter
from cairn.sql.push.engines import engine
from cairn.worker.again import Again
from cairn.worker.apply import Applier
from cairn.worker.config import ProofConfig, WorkerConfig
from cairn.worker.decode import Decoder
from cairn.worker.desk import Clerk, Desk, Ended
from cairn.worker.http import application
from cairn.worker.lane import Budget, Lane
from cairn.worker.metrics import Metrics, ProofMetrics
from cairn.worker.proof.asked import Asked
from cairn.worker.proof.backfill import Intake
from cairn.worker.proof.http_source import HttpSource
from cairn.worker.proof.keeper import Keeper
from cairn.worker.proof.sides import Feed
from cairn.worker.proof.source import SourceError
from cairn.worker.proof.statistics import Statistics
from cairn.worker.replay import Replay
from cairn.worker.retention import Retention
from cairn.worker.service import Worker

log = logging.getLogger(__name__)


def sink(config: WorkerConfig, dataset: Dataset) -> PushWriter:
    """The session of a lane."""
    return engine(config.database.engine).writer(config.database.target, dataset, f"cairn-push {config.subscription}")


def feeds(config: WorkerConfig, lanes: Mapping[str, Lane]) -> list[Feed]:
    return [
        Feed(dataset, shop, nick, Decoder(dataset, config.shops), lanes[dataset.name])
        for dataset in config.datasets
        for shop, nick in config.shops.items()
    ]


def book(config: WorkerConfig) -> PushLedger:
    """A session for whoever compares."""
    return engine(config.database.engine).ledger(config.database.target, f"cairn-proof {config.subscription}")


def platform(proof: ProofConfig, metrics: ProofMetrics) -> HttpSource:
    def answered(fine: bool) -> None:  # noqa: FBT001 -- a callback
        metrics.source.set(not fine)

    return HttpSource(proof.url, proof.seller, proof.key, proof.ca(), metrics.authorized.set, answered)


async def prove(
    config: WorkerConfig, proof: ProofConfig, lanes: Mapping[str, Lane], metrics: ProofMetrics, ended: Ended
) -> None:
    """Until cancelled: hold what stands against the platform, and do what Operations ask for."""
    ledgers, found = (book(config), book(config)), feeds(config, lanes)
    async with platform(proof, metrics) as source:
        intake = Intake(source, proof.max_rows_per_second, metrics)
        asked = Asked(source, found, intake, metrics)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(Keeper(proof, source, ledgers, found, intake, metrics).run())
                clerks = {"audit": asked.audit, "backfill": asked.backfill}
                group.create_task(desk(config, lanes, clerks, ended).run())
        finally:
            for ledger in ledgers:
                await ledger.close()


async def retry(config: WorkerConfig, lanes: Mapping[str, Lane]) -> None:
    """Until cancelled: try again what the database refused, one task a lane."""
    async with asyncio.TaskGroup() as group:
        for dataset in config.datasets:
            again = Again(dataset, Decoder(dataset, config.shops), lanes[dataset.name], book(config))
            group.create_task(again.run())


def desk(config: WorkerConfig, lanes: Mapping[str, Lane], clerks: Mapping[str, Clerk], ended: Ended) -> Desk:
    """Whoever carries out what Operations ask for. clerks: for more than quarantine."""

    def session() -> PushDesk:
        return engine(config.database.engine).desk(config.database.target, f"cairn-desk {config.subscription}")

    replay = Replay(config.datasets, config.shops, lanes)
    known = {"replay": replay.retry, "discard": replay.discard, **clerks}
    return Desk(config.subscription, session, known, (SourceError,), ended)


def statistics(
    config: WorkerConfig, proof: ProofConfig, lanes: Mapping[str, Lane], metrics: ProofMetrics
) -> Statistics:
    return Statistics(lambda: platform(proof, metrics), lambda: book(config), feeds(config, lanes))


def assemble(config: WorkerConfig) -> tuple[Worker, Metrics]:
    """A worker with a lane for each dataset."""
    metrics, budget = Metrics(config.subscription), Budget(config.budget_bytes)
    lanes = {}
    for dataset in config.datasets:
        lane = metrics.lane(dataset.name)
        applier = Applier(dataset.name, sink(config, dataset), lane, metrics)
        lanes[dataset.name] = Lane(Decoder(dataset, config.shops), applier, budget, lane, metrics)
    return Worker(config, lanes, budget, metrics), metrics


def _end_with_parent() -> None:
    """Standard input holds nothing, and ends when whoever holds its other end does. Nobody keeps the subscription from
    others any more then: what is not committed is delivered again, to the next one."""
    asyncio.get_running_loop().add_reader(sys.stdin, os._exit, os.EX_UNAVAILABLE)


async def serve(config: WorkerConfig, host: str = "0.0.0.0", socket: Path | None = None) -> None:  # noqa: S104 -- the kubelet and Prometheus ask the pod's address
    """Until SIGTERM or SIGINT; then finish what is being written, acknowledge it, and give the rest back.

    socket: where to serve instead, for the program that started this one; once that has ended, so does this at once.
    """
    worker, metrics = assemble(config)
    proof, proven = config.proof, metrics.proof() if config.proof else None
    asked = statistics(config, proof, worker.lanes, proven) if proof and proven else None
    runner = web.AppRunner(application(worker, metrics, asked), access_log=None)
    await runner.setup()
    site = web.UnixSite(runner, str(socket)) if socket else web.TCPSite(runner, host, config.metrics_port)
    await site.start()
    loop = asyncio.get_running_loop()
    if socket:
        _end_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    log.info("%s: datasets %s", config.subscription, ", ".join(dataset.name for dataset in config.datasets))
    beside = [asyncio.create_task(retry(config, worker.lanes), name="retry")]
    if config.retention_days:
        kept = Retention(config.retention_days, config.datasets, config.shops, book(config), metrics)
        beside.append(asyncio.create_task(kept.run(), name="retention"))
    if proof and proven:
        beside.append(asyncio.create_task(prove(config, proof, worker.lanes, proven, metrics.requested), name="proof"))
    else:
        beside.append(asyncio.create_task(desk(config, worker.lanes, {}, metrics.requested).run(), name="desk"))
    try:
        await worker.run()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        await runner.cleanup()
