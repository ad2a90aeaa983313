# SPDX-License-Identifier: Apache-2.0
"""`cairn uninstall`: let go of what the operator holds, once it is gone; delete nothing.

The operator keeps its objects by a finalizer until its work for them is done. Without an operator nobody would ever
take it off, and deleting an object, its namespace or its CRD would hang.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kubernetes.aio.config import ConfigException

from cairn.api.resources import (
    INTEGRATIONAPP,
    INTEGRATIONTENANT,
    LEASE,
    OPERATION,
    PROMOTION,
    PUSHSUBSCRIPTION,
    SELLER,
    SELLERRDS,
    SELLERVM,
    SERVICEPLAN,
    Obj,
    Ref,
    Resource,
    ref_of,
)
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.errors import ApiError
from cairn.engine.lease import LEASE_NAME
from cairn.engine.reconcile import FINALIZER

KINDS = (
    OPERATION,
    INTEGRATIONAPP,
    INTEGRATIONTENANT,
    PUSHSUBSCRIPTION,
    SELLERVM,
    SELLERRDS,
    SELLER,
    PROMOTION,
    SERVICEPLAN,
)

STAYS = """\
Nothing was deleted: objects, machines, databases, their volumes and passwords are where they were.
An operator that is installed again takes all of them up. To be rid of them for good, delete, in this order:
  the objects          kubectl delete operations,integrationapps,integrationtenants -A --all
                       kubectl delete pushsubscriptions,sellervms,sellerrdses -A --all
                       kubectl delete sellers,promotions,serviceplans --all
  their namespaces     kubectl delete namespace -l cairn.dev/seller-id      (every disk and database in them is lost)
  the kinds            kubectl get crd -o name | grep 'cairn.dev$' | xargs kubectl delete
  volumes              they are kept (Retain): kubectl get persistentvolumes"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Takes Cairn's finalizer off all of its objects, after `helm uninstall`: without an operator, deleting them "
        "would hang. Deletes nothing. Needs a cluster admin."
    )
    parser.add_argument("--kubeconfig", required=True, help="kubeconfig file; the ambient one is never used")
    parser.add_argument("--context", help="context in that file; its current one by default")
    parser.add_argument("--namespace", default="cairn-system", help="where Cairn ran (default: %(default)s)")
    parser.add_argument("--yes", action="store_true", help="do it; without this, only say what would be done")


def run(args: argparse.Namespace) -> int:
    if not Path(args.kubeconfig).exists():
        print(f"cairn uninstall: kubeconfig {args.kubeconfig} does not exist", file=sys.stderr)
        return 2
    try:
        return asyncio.run(_run(args))
    except ApiError as error:
        print(f"cairn uninstall: {error.message}", file=sys.stderr)
        return 1
    except (ConfigException, OSError) as error:
        print(f"cairn uninstall: {error}", file=sys.stderr)
        return 2


async def _run(args: argparse.Namespace) -> int:
    cluster = Cluster(KubernetesTransport(await load_configuration(args.kubeconfig, args.context)))
    try:
        lease = await cluster.get(Ref(LEASE, args.namespace, LEASE_NAME))
        if holder := leader(lease, datetime.now(UTC)):
            print(
                f"cairn uninstall: an operator runs ({holder}) and would take hold again: first "
                f"`helm uninstall cairn --namespace {args.namespace}`",
                file=sys.stderr,
            )
            return 1
        held = [obj for kind in KINDS for obj in await _list(cluster, kind) if holds(obj)]
        for obj in held:
            print(f"{'release' if args.yes else 'would release'} {ref_of(obj)}")
            if args.yes:
                await cluster.patch(ref_of(obj), released(obj))
    finally:
        await cluster.close()
    if not held:
        print("no object carries Cairn's finalizer")
    print(STAYS if args.yes or not held else "nothing was changed: say --yes to do it")
    return 0


async def _list(cluster: Cluster, kind: Resource) -> list[Obj]:
    try:
        return await cluster.list(kind)
    except ApiError as error:
        if error.status == 404:  # the CRD is gone already
            return []
        raise


def leader(lease: Obj | None, now: datetime) -> str:
    """Who leads by this Lease; empty where nobody does any more."""
    spec = (lease or {}).get("spec", {})
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return ""
    ends = datetime.fromisoformat(spec["renewTime"]) + timedelta(seconds=spec.get("leaseDurationSeconds", 0))
    return str(spec["holderIdentity"]) if now < ends else ""


def holds(obj: Obj) -> bool:
    return FINALIZER in obj["metadata"].get("finalizers", ())


def released(obj: Obj) -> Obj:
    """The merge patch that takes the finalizer off this very state of the object."""
    meta = obj["metadata"]
    others = [one for one in meta["finalizers"] if one != FINALIZER]
    return {"metadata": {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"], "finalizers": others}}
