# SPDX-License-Identifier: Apache-2.0
"""`cairn proof`: what the platform has against what stands in a seller's databases, by day or by hour."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from cairn.api.lookup import parsed
from cairn.api.pushsubscription import Compared, PushSubscription
from cairn.api.resources import PUSHSUBSCRIPTION, SELLER
from cairn.cli.live import UnreachableError, read
from cairn.cli.manifests import add_cluster
from cairn.cli.table import table

HEAD = ("SUBSCRIPTION", "WHEN", "SENT", "STOOD", "MISSING", "STALE", "WRONG", "QUARANTINED", "REPAIRED")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("seller", nargs="?", metavar="SELLER", help="name of the Seller")
    parser.add_argument(
        "-n", "--namespace", metavar="NS", help="the seller's namespace, for those who may not read Sellers"
    )
    parser.add_argument("--date", type=_date, metavar="YYYYMMDD", help="one day; its hours, too, while they are recent")
    add_cluster(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result")
    parser.epilog = (
        "Days and hours are of the records' own time, on the platform's clock. Exit code: 0 all that was compared"
        " stands, 1 something is missing, old or changed, or nothing was compared, 2 wrong usage or no answer."
    )


def run(args: argparse.Namespace) -> int:
    if not args.kubeconfig or bool(args.seller) == bool(args.namespace):
        print("cairn proof: name a cluster by --kubeconfig, and either SELLER or a namespace by -n", file=sys.stderr)
        return 2
    try:
        namespace = args.namespace or asyncio.run(_namespace(args))
        found = asyncio.run(read([PUSHSUBSCRIPTION], args.kubeconfig, args.context, namespace))
    except UnreachableError as error:
        print(f"cairn proof: {error}", file=sys.stderr)
        return 2
    pushes = [push for push in (parsed(PushSubscription, obj) for obj in found) if isinstance(push, PushSubscription)]
    lines = [line for push in pushes for line in spans(push, args.date)]
    if not lines:
        what = f"of {args.date:%Y-%m-%d}" if args.date else "yet"
        print(f"cairn proof: nothing {what} was compared in {namespace}: see the condition AuditClean", file=sys.stderr)
        return 1
    print(_json(lines) if args.output == "json" else table([HEAD, *map(_row, lines)], right=range(2, 9)), end="")
    return 1 if any(one.missing or one.stale or one.wrong for _, _, one in lines) else 0


def spans(push: PushSubscription, day: date | None) -> Iterator[tuple[str, str, Compared]]:
    """Name, span and numbers: every day, or one day and those of its hours that are known."""
    proof, name = push.status.proof, push.metadata.name
    if proof is None:
        return
    for one in sorted(proof.days, key=lambda each: each.date):
        if day is None or one.date == day.isoformat():
            yield name, one.date, one
    if day is not None:
        for hour in sorted(proof.hours, key=lambda each: each.start):
            if hour.start.startswith(day.isoformat()):
                yield name, hour.start, hour


async def _namespace(args: argparse.Namespace) -> str:
    sellers = await read([SELLER], args.kubeconfig, args.context)
    found = [obj["spec"]["namespace"] for obj in sellers if obj["metadata"]["name"] == args.seller]
    if not found:
        raise UnreachableError(f"there is no Seller {args.seller}")
    return str(found[0])


def _row(line: tuple[str, str, Compared]) -> Sequence[str]:
    name, when, one = line
    counts = (one.sent, one.stood, one.missing, one.stale, one.wrong, one.quarantined, one.repaired)
    return (name, when, *map(str, counts))


def _json(lines: Sequence[tuple[str, str, Compared]]) -> str:
    found = [
        {"subscription": name, "when": when} | one.model_dump(exclude={"start", "date"}) for name, when, one in lines
    ]
    return json.dumps(found, indent=1) + "\n"


def _date(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 -- the platform's wall clock
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: YYYYMMDD is wanted") from None
