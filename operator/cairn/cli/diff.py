# SPDX-License-Identifier: Apache-2.0
"""`cairn diff`: what Cairn would change in a live cluster if manifests were applied. It reads and dry-runs only."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any

from kubernetes.aio.config import ConfigException

from cairn.api.platform import Platform
from cairn.api.resources import Obj, Ref, ref_of
from cairn.api.text import to_yaml
from cairn.cli.kinds import kinds
from cairn.cli.manifests import ENVIRONMENT, add_cluster, add_files, load
from cairn.cli.rehearsal import Outcome
from cairn.cli.render import explain, rehearse_all
from cairn.cli.world import World
from cairn.engine import render
from cairn.engine.cluster import (
    APPLY,
    FIELD_MANAGER,
    Cluster,
    KubernetesTransport,
    Request,
    Transport,
    load_configuration,
)
from cairn.engine.errors import ApiError
from cairn.engine.kind import Kind

_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp")


def add(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    add_cluster(parser)
    parser.epilog = (
        "Another kubeconfig than a named one is never read. Exit code: 0 no difference, 1 differences, or something"
        " that can't work, 2 wrong usage or no answer."
    )


def run(args: argparse.Namespace) -> int:
    if not args.kubeconfig:
        print(f"cairn diff: name the cluster with --kubeconfig FILE or {ENVIRONMENT}", file=sys.stderr)
        return 2
    if not Path(args.kubeconfig).exists():
        print(f"cairn diff: kubeconfig {args.kubeconfig} does not exist", file=sys.stderr)
        return 2
    loaded = load("diff", args)
    if isinstance(loaded, int):
        return loaded
    try:
        return asyncio.run(_diff(*loaded, args.kubeconfig, args.context))
    except (ApiError, ConfigException, OSError) as error:
        print(f"cairn diff: {error}", file=sys.stderr)
        return 2


async def _diff(objects: list[Obj], platform: Platform, kubeconfig: str, context: str | None) -> int:
    transport = KubernetesTransport(await load_configuration(kubeconfig, context))
    try:
        cluster = Cluster(transport, may_write=lambda: False)
        world, all_kinds = World(cluster), kinds(platform)
        outcomes = await rehearse_all(objects, world, all_kinds, datetime.now(UTC))
        differs = False
        for obj, outcome in outcomes:
            for text in [text async for text in _differences(obj, outcome, world, all_kinds, cluster, transport)]:
                differs = True
                print(text, end="")
        return max(explain(outcomes), int(differs))
    finally:
        await transport.close()


async def _differences(
    obj: Obj, outcome: Outcome, world: World, all_kinds: Sequence[Kind], cluster: Cluster, transport: Transport
) -> AsyncIterator[str]:
    """A unified diff for every child that would be made, changed or pruned."""
    planned = [render.finish(child, obj) for child in outcome.plan.children]
    for desired in planned:
        ref = ref_of(desired)
        live = await cluster.get(ref)
        if live is None:
            yield _compared(ref, None, desired)
        elif render.owner_of(live) != ref_of(obj):
            yield f"# {ref} exists and was not made for {ref_of(obj)}: it would be left alone (Conflict)\n"
        elif text := _compared(ref, live, await _dry_run(desired, transport)):
            yield text
    if outcome.plan.hold:
        return
    kind = next(kind for kind in all_kinds if kind.resource == ref_of(obj).resource)
    for ref in sorted(set(await world.owned(kind, obj)) - set(map(ref_of, planned))):
        live = await cluster.get(ref)
        if live is not None and render.applied(live) and not render.retained(live):
            yield _compared(ref, live, None)


async def _dry_run(desired: Obj, transport: Transport) -> Obj:
    """What the server would make of it, defaults and all."""
    ref = ref_of(desired)
    query = {"fieldManager": FIELD_MANAGER, "force": "true", "dryRun": "All"}
    path = ref.resource.path(ref.namespace or None, ref.name)
    response = await transport.send(Request("PATCH", path, query, APPLY, desired, ref.resource.kind))
    if response.status >= 300:
        raise ApiError(response.status, f"{ref}: {response.body.get('message') or response.status}")
    return response.body


def _compared(ref: Ref, before: Obj | None, after: Obj | None) -> str:
    """Empty where they are the same but for what the server counts by itself."""
    old, new = (to_yaml(_quiet(obj)).splitlines(keepends=True) if obj else [] for obj in (before, after))
    return "".join(unified_diff(old, new, f"live {ref}" if old else "nothing", f"planned {ref}" if new else "nothing"))


def _quiet(obj: Obj) -> Any:
    """Without status, hashes and the server's own book-keeping."""
    meta = {key: value for key, value in obj["metadata"].items() if key not in _NOISE}
    annotations = {key: value for key, value in meta.pop("annotations", {}).items() if key != render.APPLIED}
    ordered = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": meta}
    if annotations:
        meta["annotations"] = annotations
    return _sorted(ordered | {key: value for key, value in obj.items() if key not in (*ordered, "status")})


def _sorted(value: Any) -> Any:
    """Keys in one order, since the server's is not the builder's."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
