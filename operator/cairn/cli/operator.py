# SPDX-License-Identifier: Apache-2.0
"""`cairn operator`: one process that stands by, leads, and ends when it leads no more."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import uuid
from pathlib import Path

from cairn.api.platform import Platform
from cairn.api.resources import LEASE, Ref
from cairn.cli.kinds import kinds
from cairn.engine import health
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.lease import LEASE_NAME, Election
from cairn.engine.loop import Engine, Pace
from cairn.engine.watch import connection, watch

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
    platform = Platform.load(args.config)
    return asyncio.run(_serve(args, platform))


async def _serve(args: argparse.Namespace, platform: Platform) -> int:
    """0 after an orderly stop, 1 when the Lease or the watch was lost: the kubelet starts it again."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    configuration = await load_configuration(args.kubeconfig, args.context)
    lease_client = Cluster(KubernetesTransport(configuration, in_flight=2))
    identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    election = Election(lease_client, Ref(LEASE, platform.namespace, LEASE_NAME), identity)
    cluster = Cluster(KubernetesTransport(configuration), may_write=election.leads)
    engine = Engine(kinds(platform), cluster, pace=Pace(workers=args.workers, resync_seconds=args.resync))
    served = health.Health()
    server = health.serve(served, args.port, args.host)
    log.info("serving health and metrics on port %d, waiting for the Lease", server.server_port)
    try:
        return await _stand_by_and_lead(engine, election, served, stop, configuration)
    finally:
        server.shutdown()
        await election.release()
        await cluster.close()
        await lease_client.close()


async def _stand_by_and_lead(
    engine: Engine, election: Election, served: health.Health, stop: asyncio.Event, configuration: object
) -> int:
    if not await _unless(stop, election.win()):
        return 0
    served.alive = health.all_of(
        health.loop_turns(lambda: engine.heartbeat_at),
        health.workers_move(engine.queue.oldest_since),
        health.watches_tell(lambda: {r.kind: n for r, n in engine.missed_in_a_row.items()}),
    )
    served.ready = lambda: "" if engine.watched <= engine.listed else "not every kind was listed yet"
    work = [
        asyncio.create_task(engine.run(), name="engine"),
        asyncio.create_task(election.keep(), name="lease"),
    ]
    work.append(asyncio.create_task(watch(engine, lambda: connection(configuration), stop), name="watch"))
    ended, _ = await asyncio.wait([*work, stopped := asyncio.create_task(stop.wait())], return_when="FIRST_COMPLETED")
    orderly = stopped in ended
    stop.set()
    for task in (*work[:2], stopped):
        task.cancel()
    results = await asyncio.gather(*work, stopped, return_exceptions=True)
    for task, result in zip(work, results, strict=False):
        if isinstance(result, Exception):
            log.error("%s ended: %s: %s", task.get_name(), type(result).__name__, result)
    return 0 if orderly else 1


async def _unless(stop: asyncio.Event, waiting: object) -> bool:
    """Whether the waiting ended before the stop."""
    task = asyncio.ensure_future(waiting)  # type: ignore[call-overload]
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait([task, stopped], return_when="FIRST_COMPLETED")
    for pending in (task, stopped):
        if not pending.done():
            pending.cancel()
    return bool(task.done() and not task.cancelled())
