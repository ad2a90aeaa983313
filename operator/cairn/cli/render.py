# SPDX-License-Identifier: Apache-2.0
"""`cairn render`: the objects that Cairn would make of manifests, without a cluster."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from cairn.api.resources import PROMOTION, PUSHSUBSCRIPTION, SELLER, SELLERRDS, SELLERVM, SERVICEPLAN, Obj, ref_of
from cairn.api.text import to_yaml
from cairn.cli.kinds import kinds
from cairn.cli.manifests import add_cluster, add_files, load, moment
from cairn.cli.rehearsal import Outcome, rehearse
from cairn.cli.world import World
from cairn.engine import render
from cairn.engine.kind import Kind

SECRET_HASH = "cairn.dev/secret"
ORDER = (SERVICEPLAN, PROMOTION, SELLER, SELLERVM, SELLERRDS, PUSHSUBSCRIPTION)
"""Each may refer to those before it."""


def add(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    parser.add_argument("--at", type=moment, metavar="TIME", help="as it would be then (RFC 3339 or a day); now")
    parser.add_argument("--cost", action="store_true", help="show what it would cost instead")
    add_cluster(parser, "with --cost: where plans, promotions and sellers are that no file holds")
    parser.epilog = (
        "What the files hold is taken as existing and working; of Secrets only names and keys are shown."
        " What they do not hold is taken as missing: name the files with Seller, plans and promotions, too."
        " Clones of machines are not shown: `cairn calendar` tells how many there will be."
        " Exit code: 0 rendered, 1 something in the files can't work, 2 wrong usage."
    )


def run(args: argparse.Namespace) -> int:
    if args.cost:
        return _quote(args)
    loaded = load("render", args)
    if isinstance(loaded, int):
        return loaded
    objects, platform = loaded
    outcomes = asyncio.run(rehearse_all(objects, World(), kinds(platform), args.at or datetime.now(UTC)))
    for obj, outcome in outcomes:
        print(_shown(obj, outcome), end="")
    return explain(outcomes)


def _quote(args: argparse.Namespace) -> int:
    """What the files' resources would cost, before they are applied."""
    from cairn.cli import cost, estate  # only a quote needs them

    found = estate.quoted("render", args)
    if isinstance(found, int):
        return found
    print(cost.as_text(cost.priced(found, args.at or datetime.now(UTC)), found))
    return cost.complain(found)


async def rehearse_all(
    objects: Sequence[Obj], world: World, all_kinds: Sequence[Kind], at: datetime
) -> list[tuple[Obj, Outcome]]:
    """Every object of Cairn's in the order of dependence, with what becomes of it."""
    given = [await world.give(obj) for obj in objects]
    by_resource = {kind.resource: kind for kind in all_kinds}
    outcomes = []
    for resource in ORDER:
        for obj in given:
            if ref_of(obj).resource == resource:
                outcomes.append((obj, await rehearse(by_resource[resource], obj, world, at)))
    return outcomes


def _shown(obj: Obj, outcome: Outcome) -> str:
    """One object's children as YAML, under comments that say whose they are and what no YAML can show."""
    lines = [f"# {ref_of(obj)}"]
    if cost := outcome.plan.status.get("cost"):
        lines.append(f"# costs {cost['month']} {cost['currency']} a month")
    lines += [f"# {ref}: minted, with {', '.join(keys)}" for ref, keys in outcome.minted.items()]
    if outcome.deeds:
        lines.append(f"# done by the operator itself: {', '.join(outcome.deeds)}")
    children = [to_yaml(_lasting(render.finish(child, obj))) for child in outcome.plan.children]
    return "\n".join(lines) + "\n" + "".join(f"---\n{child}" for child in children)


def _lasting(obj: Obj) -> Obj:
    """Without hashes of what is minted anew each time: the same files give the same text."""
    del obj["metadata"]["annotations"][render.APPLIED]
    template = obj.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
    if SECRET_HASH in template:
        template[SECRET_HASH] = "of the minted Secret"
    return obj


def explain(outcomes: Sequence[tuple[Obj, Outcome]]) -> int:
    """Say what goes no further, and return the exit code."""
    for obj, outcome in outcomes:
        if obj["spec"].get("suspend"):
            print(f"{ref_of(obj)}: spec.suspend is true: nothing is changed", file=sys.stderr)
        if why := outcome.held_up:
            print(f"{ref_of(obj)}: {why.reason}: {why.message}", file=sys.stderr)
    return 1 if any(outcome.stalled for _, outcome in outcomes) else 0
