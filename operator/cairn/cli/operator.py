# SPDX-License-Identifier: Apache-2.0
"""`cairn operator`: one process that stands by, leads, and ends when it leads no more."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from kubernetes.aio.config import ConfigException

from cairn.api.platform import Platform
from cairn.api.resources import LEASE, Ref
from cairn.cli.kinds import kinds
from cairn.datasets import known
from cairn.engine import health
from cairn.engine.clock import Clock
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.lease import LEASE_NAME, Election
from cairn.engine.loop import Engine, Pace
from cairn.engine.watch import connection, watch
from cairn.pool.scale import Pool
from cairn.push.janitor import tidy
from cairn.push.kind import PushSubscriptionKind

log = logging.getLogger(__name__)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="platform settings, a YAML file")
    parser.add_argument("--kubeconfig", help="kubeconfig file; without it, the pod's service account")
    parser.add_argument("--context", help="context in that file; its current one by default")
    parser.add_argument("--port", type=int, default=8080, help="of /healthz, /readyz and /metrics (default 8080)")
    parser.add_argument("--host", default="", help="address to serve these on (default all)")
    parser.add_argument("--resync", type=float, default=600.0, help="seconds between full lists (default 600)")
    parser.add_argument("--workers", type=int, default=16, help="objects in work at a time (default 16)")


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        platform = Platform.load(args.config)
        known(platform.datasets)
    except (OSError, ValueError) as error:
        print(f"cairn operator: --config: {error}", file=sys.stderr)
        return 2
    try:
        return asyncio.run(serve(args, platform, Clock()))
    except ConfigException as error:
        print(f"cairn operator: {error}", file=sys.stderr)
        return 2


async def serve(args: argparse.Namespace, platform: Platform, clock: Clock) -> int:
    """0 after an orderly stop, 1 when the Lease or the watch was lost: the kubelet starts it again."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    configuration = await load_configuration(args.kubeconfig, args.context)
    lease_client = Cluster(KubernetesTransport(configuration, in_flight=2))
    identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    election = Election(lease_client, Ref(LEASE, platform.namespace, LEASE_NAME), identity)
    cluster = Cluster(KubernetesTransport(configuration), may_write=election.leads)
    pace = Pace(workers=args.workers, resync_seconds=args.resync)
    known = kinds(platform)
    verdict = next(kind.verdict for kind in known if isinstance(kind, PushSubscriptionKind))
    engine = Engine(known, cluster, pace=pace, clock=clock)
    served = health.Health()
    server = health.serve(served, args.port, args.host)
    log.info("standing by, health and metrics on port %d", server.server_port)
    try:
        await _until_one_ends(stop, election.win())
        if not election.leads():
            return 0
        _watch_over(served, engine)
        # kopf cancels at its end what it did not see at its start: the others are started before it
        watching = watch(engine, lambda: connection(configuration), stop)
        rounds = (tidy(cluster, platform, verdict), Pool(cluster, platform).keep())
        return await _until_one_ends(stop, engine.run(), election.keep(), *rounds, watching)
    finally:
        server.shutdown()
        await election.release()
        await cluster.close()
        await lease_client.close()


def _watch_over(served: health.Health, engine: Engine) -> None:
    served.alive = health.all_of(
        health.loop_turns(lambda: engine.heartbeat_at),
        health.workers_move(engine.queue.oldest_since),
        health.watches_tell(lambda: {r.kind: n for r, n in engine.missed_in_a_row.items()}),
    )
    served.ready = lambda: "" if engine.watched <= engine.listed else "not every kind was listed yet"


async def _until_one_ends(stop: asyncio.Event, *work: Coroutine[Any, Any, Any]) -> int:
    """Run all until one ends or `stop` is set, then end the others. 1 where one failed, else 0."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in (stop.wait(), *work)]
    ended, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    failed = [fault for task in ended if (fault := task.exception())]
    for fault in failed:
        log.error("ended by a fault", exc_info=fault)
    if len(work) > 1:
        stop.set()  # kopf, the last one, has taken over the signals and wants to be asked
        await asyncio.wait(tasks[-1:], timeout=5)
    for task in others:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return 1 if failed else 0
