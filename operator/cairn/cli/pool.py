# SPDX-License-Identifier: Apache-2.0
"""`cairn pool`: run the workers of subscriptions that have none of their own."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from aiohttp import web
from kubernetes.aio.config import ConfigException

from cairn.api.resources import LEASE, SECRET, Obj, Ref, ref_of
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.errors import ApiError, ConflictError, NotFoundError
from cairn.pool.assign import Claim, room
from cairn.pool.http import application
from cairn.pool.leases import LABEL
from cairn.pool.member import AwayError, Member

log = logging.getLogger(__name__)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--namespace", required=True, help="the pool's: Leases and Secrets of its subscriptions")
    parser.add_argument("--name", default=socket.gethostname(), help="of this member (default: the host's name)")
    parser.add_argument("--cpu", default="1", help="processors that subscriptions may reserve here (default 1)")
    parser.add_argument("--memory", default="1Gi", help="memory of the container (default 1Gi)")
    parser.add_argument("--directory", type=Path, required=True, help="for configuration and secrets, in memory")
    parser.add_argument("--kubeconfig", help="kubeconfig file; without it, the pod's service account")
    parser.add_argument("--port", type=int, default=9090, help="of /healthz, /readyz and /metrics (default 9090)")


class ApiNamespace:
    """The pool's namespace on the API server."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster, self.name = cluster, name

    async def leases(self) -> list[Obj]:
        try:
            return await self._cluster.list(LEASE, namespace=self.name, labels=LABEL)
        except ApiError as error:
            raise AwayError(str(error)) from error

    async def create(self, lease: Obj) -> Obj | None:
        try:
            return await self._cluster.create(lease)
        except ApiError as error:
            raise AwayError(str(error)) from error

    async def replace(self, lease: Obj) -> Obj | None:
        try:
            return await self._cluster.replace(lease)
        except (ConflictError, NotFoundError):
            return None
        except ApiError as error:
            raise AwayError(str(error)) from error

    async def delete(self, lease: Obj) -> None:
        try:
            await self._cluster.delete(ref_of(lease), uid=lease["metadata"]["uid"])
        except ApiError as error:
            raise AwayError(str(error)) from error

    async def secret(self, name: str) -> dict[str, str]:
        try:
            found = await self._cluster.get(Ref(SECRET, self.name, name))
        except ApiError as error:
            raise AwayError(str(error)) from error
        return dict((found or {}).get("data") or {})


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        return asyncio.run(serve(args, room(args.cpu, args.memory)))
    except (ValueError, OSError, ConfigException) as error:
        print(f"cairn pool: {error}", file=sys.stderr)
        return 2


async def serve(args: argparse.Namespace, own: Claim) -> int:
    """Until SIGTERM or SIGINT; then every worker ends in order, and what it held is given up."""
    cluster = Cluster(KubernetesTransport(await load_configuration(args.kubeconfig, None), in_flight=8))
    place = ApiNamespace(cluster, args.namespace)
    member = Member(place, args.name, os.environ.get("POD_UID", ""), own, args.directory)
    runner = web.AppRunner(application(member), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", args.port).start()  # noqa: S104 -- the kubelet and Prometheus ask the pod's address
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, member.stop)
    try:
        await member.run()
    finally:
        await runner.cleanup()
        await cluster.close()
    return 0
