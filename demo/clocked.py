# SPDX-License-Identifier: Apache-2.0
"""`cairn operator` with a clock that runs fast: what `make demo-promotion` runs in place of it, and nothing else may.

It refuses any cluster whose nodes don't all carry the dev cluster's label: elsewhere a fast clock would end promotions,
snapshots and certificates of real sellers before their time.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from datetime import datetime

from cairn.api.platform import Platform
from cairn.api.resources import NODE
from cairn.cli import operator
from cairn.engine.clock import ScaledClock
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration

DEVCLUSTER = "devcluster.cairn.dev/node"


async def only_the_dev_cluster(args: argparse.Namespace) -> str:
    """Why this cluster is not one to play with; empty for the dev cluster."""
    cluster = Cluster(KubernetesTransport(await load_configuration(args.kubeconfig, args.context)))
    try:
        nodes = await cluster.list(NODE)
    finally:
        await cluster.close()
    foreign = [node["metadata"]["name"] for node in nodes if DEVCLUSTER not in node["metadata"].get("labels", {})]
    if not nodes or foreign:
        return (
            f"a fast clock is for the dev cluster alone, and this one has other nodes: {', '.join(foreign) or 'none'}"
        )
    return ""


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    operator.add(parser)
    args = parser.parse_args()
    if wrong := asyncio.run(only_the_dev_cluster(args)):
        print(wrong, file=sys.stderr)
        return 2
    start, began = (datetime.fromisoformat(os.environ[key]) for key in ("CLOCK_START", "CLOCK_BEGAN"))
    clock = ScaledClock(start, float(os.environ["CLOCK_SPEED"]), began)
    return asyncio.run(operator.serve(args, Platform.load(args.config), clock))


if __name__ == "__main__":
    sys.exit(main())
