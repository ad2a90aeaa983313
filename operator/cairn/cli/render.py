# SPDX-License-Identifier: Apache-2.0
"""`cairn render`: the objects that Cairn would make of manifests, without a cluster."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cairn.api.platform import Platform
from cairn.api.resources import PUSHSUBSCRIPTION, SELLER, SELLERRDS, SERVICEPLAN, Obj, ref_of
from cairn.api.text import to_yaml
from cairn.cli.check import check, is_ours
from cairn.cli.kinds import kinds
from cairn.cli.loader import Document, read
from cairn.cli.rehearsal import Outcome, rehearse
from cairn.cli.world import World, known
from cairn.engine import render
from cairn.engine.kind import Kind

SECRET_HASH = "cairn.dev/secret"
ORDER = (SERVICEPLAN, SELLER, SELLERRDS, PUSHSUBSCRIPTION)
"""Each may refer to those before it."""


def add(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    parser.add_argument("--at", type=moment, metavar="TIME", help="as it would be then (RFC 3339 or a day); now")
    parser.epilog = (
        "What the files hold is taken as existing and working; of Secrets only names and keys are shown."
        " Exit code: 0 rendered, 1 something in the files can't work, 2 wrong usage."
    )


def add_files(parser: argparse.ArgumentParser) -> None:
    """Arguments that `render` and `diff` share."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON, a directory, or - for stdin")
    parser.add_argument("--config", type=Path, metavar="FILE", help="platform settings; by default the defaults")


def moment(text: str) -> datetime:
    """A point in time; UTC where no offset is given."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text} is no time: write 2026-11-11T20:00:00+08:00 or 2026-11-11"
        raise argparse.ArgumentTypeError(message) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def run(args: argparse.Namespace) -> int:
    loaded = load("render", args)
    if isinstance(loaded, int):
        return loaded
    objects, platform = loaded
    outcomes = asyncio.run(rehearse_all(objects, World(), kinds(platform), args.at or datetime.now(UTC)))
    for obj, outcome in outcomes:
        print(_shown(obj, outcome), end="")
    return explain(outcomes)


def load(command: str, args: argparse.Namespace) -> tuple[list[Obj], Platform] | int:
    """Objects and settings, or the exit code after saying what is wrong with them."""
    try:
        documents, broken = read(args.files)
        platform = Platform.load(args.config) if args.config else Platform()
    except (OSError, ValueError) as error:
        print(f"cairn {command}: {error}", file=sys.stderr)
        return 2
    wrong = [str(error) for error in broken] + (_errors(documents) or _nameless(documents))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else (known(document.obj for document in documents), platform)


def _errors(documents: Sequence[Document]) -> list[str]:
    return [str(remark) for remark in check(filter(is_ours, documents)) if remark.level == "error"]


def _nameless(documents: Sequence[Document]) -> list[str]:
    """Objects without a name, of other kinds too: `check` judges ours alone, and takes generateName."""
    found = []
    for document in documents:
        obj = document.obj
        meta = obj.get("metadata")
        if not known([obj]):
            continue
        if not isinstance(meta, dict) or not all(isinstance(meta.get(key, ""), str) for key in ("name", "namespace")):
            found.append(f"{document.file}:{document.line(('metadata',))}: metadata is missing or malformed")
        elif not meta.get("name"):
            line = document.line(("metadata",))
            found.append(f"{document.file}:{line}: metadata.name is missing: without one nothing can refer to it")
    return found


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
