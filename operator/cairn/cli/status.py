# SPDX-License-Identifier: Apache-2.0
"""`cairn status`: one page for whoever is called at night. What is wrong comes first, and what to do about it last."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.api.conditions import Reason
from cairn.api.resources import (
    INTEGRATIONAPP,
    INTEGRATIONTENANT,
    PROMOTION,
    PUSHSUBSCRIPTION,
    SELLER,
    SELLERRDS,
    SELLERVM,
    Obj,
)
from cairn.cli.judged import Judged, Levels, State, judged, levels
from cairn.cli.live import UnreachableError, read
from cairn.cli.manifests import add_cluster
from cairn.cli.table import table

ORDER = (SELLER, SELLERRDS, PUSHSUBSCRIPTION, SELLERVM, INTEGRATIONTENANT, INTEGRATIONAPP, PROMOTION)
"""Causes before what hangs on them."""
MESSAGE = 110
NEXT = 8


@dataclass(frozen=True, slots=True)
class Page:
    """Everything, the wrong ones first and in the order of `ORDER`."""

    at: datetime
    objects: tuple[Judged, ...]
    levels: tuple[Levels, ...]
    promotions: tuple[Obj, ...]

    @property
    def wrong(self) -> bool:
        return any(one.state is State.WRONG for one in self.objects) or not all(one.kept for one in self.levels)

    def of(self, state: State) -> list[Judged]:
        return [one for one in self.objects if one.state is state]


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--namespace", metavar="NS", help="only what is in this seller's namespace")
    add_cluster(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result")
    parser.epilog = (
        "Read from the objects' conditions, with your own rights. How late records are in seconds, and what is"
        " oversold, the workers' metrics say: cairn_level_late_seconds, cairn_level_oversold_units. Exit code: 0"
        " nothing is wrong, 1 something is, 2 wrong usage or no answer."
    )


def run(args: argparse.Namespace) -> int:
    if not args.kubeconfig:
        print("cairn status: name a cluster by --kubeconfig", file=sys.stderr)
        return 2
    kinds = [one for one in ORDER if one.namespaced or not args.namespace]
    try:
        found = asyncio.run(read(kinds, args.kubeconfig, args.context, args.namespace))
    except UnreachableError as error:
        print(f"cairn status: {error}", file=sys.stderr)
        return 2
    page = page_of(found, datetime.now(UTC))
    print(json.dumps(_json(page), indent=1) if args.output == "json" else text(page))
    return 1 if page.wrong else 0


def page_of(found: Sequence[Obj], now: datetime) -> Page:
    kinds, states = [one.kind for one in ORDER], list(State)
    objects = sorted(
        (judged(obj, now) for obj in found),
        key=lambda one: (states.index(one.state), kinds.index(one.kind), one.namespace, one.name),
    )
    owed = [levels(obj) for obj in found if obj["kind"] == PUSHSUBSCRIPTION.kind]
    promotions = [obj for obj in found if obj["kind"] == PROMOTION.kind]
    return Page(now, tuple(objects), tuple(sorted(owed, key=lambda one: one.subscription)), tuple(promotions))


def text(page: Page) -> str:
    counts = Counter(one.state for one in page.objects)
    parts = [f"{page.at:%Y-%m-%d %H:%M:%S} UTC: " + ", ".join(f"{counts[state]} {state}" for state in State) + "\n"]
    for title, state in (("WRONG", State.WRONG), ("ON ITS WAY", State.WAY)):
        rows = [row for one in page.of(state) for row in _rows(one, page.at)]
        parts += [table([(title, "NAME", "FOR", "REASON", "MESSAGE"), *rows])] if rows else []
    parts.append(table([("LEVEL", "", "WHERE"), *_levels(page)], right=(1,)))
    promotions = [*_promotions(page)]
    parts += [table([("PROMOTION", "PHASE", "STARTS", "ENDS", "TAKE PART"), *promotions])] if promotions else []
    parts.append(table([("KIND", "ALL", "READY", "ON ITS WAY", "WRONG"), *_kinds(page)], right=range(1, 5)))
    steps = next_steps(page)
    parts.append("".join(f"{n}. {step}\n" for n, step in enumerate(steps, 1)) or "Nothing to do.\n")
    return "\n".join(parts).rstrip("\n")


def next_steps(page: Page) -> list[str]:
    """What to do, causes first; the same step is told once."""
    steps = [_step(one) for one in page.of(State.WRONG)]
    steps += [
        f"cairn proof -n {one.subscription.split('/')[0]}: which days of {one.subscription} differ; docs/push.md"
        for one in page.levels
        if one.lost or one.wrong
    ]
    found = list(dict.fromkeys(steps))
    return [*found[:NEXT], f"{len(found) - NEXT} more; -o json has all"] if len(found) > NEXT else found


def _step(one: Judged) -> str:
    worst = one.findings[0]
    where = f" -n {one.namespace}" if one.namespace else ""
    look = f"kubectl describe {one.kind.lower()}{where} {one.name}"
    match worst.reason:
        case Reason.QUARANTINED:
            return (
                f"{one.label}: read sys_info.jdp_quarantine (reason, error_text); the sender corrects and sends again"
            )
        case Reason.DATABASE_NOT_READY:
            return f"{one.label}: waits for its SellerRDS: mend that one first"
        case Reason.BUS_UNREACHABLE | Reason.BUS_UNSAFE:
            return "the bus: NATS' pods and bus.url of the chart, then docs/operations.md#push"
        case Reason.BACKLOG_FULL:
            return f"{one.label}: find what holds it up: docs/operations.md#backlog-full"
        case "NotSeen":
            return "the operator: kubectl get pods,lease -n cairn-system, then docs/operations.md#no-leader"
        case Reason.DIFFERENT:
            return f"cairn proof -n {one.namespace}: which days of {one.label} differ; docs/push.md"
    return f"{look}: {worst.reason} in docs/operations.md#reasons"


def _rows(one: Judged, now: datetime) -> Iterator[Sequence[str]]:
    for finding in one.findings:
        message = finding.message if len(finding.message) <= MESSAGE else f"{finding.message[: MESSAGE - 1]}…"
        reason = finding.reason if finding.type in ("Ready", finding.reason) else f"{finding.type}: {finding.reason}"
        yield (one.kind, one.label, _age(finding.since, now), reason, message.replace("\n", " "))


def _levels(page: Page) -> Iterator[Sequence[str]]:
    """One line a level: how much, and the first few places."""
    for title, name in (("lost", "lost"), ("late, messages that wait", "waiting"), ("wrong", "wrong")):
        counts = {one.subscription: getattr(one, name) for one in page.levels}
        known = {where: count for where, count in counts.items() if count is not None}
        unknown = [where for where, count in counts.items() if count is None]
        places = [f"{where} {count}" for where, count in sorted(known.items(), key=lambda x: -x[1]) if count]
        places += [f"not known: {_few(unknown)}"] if unknown else []
        yield (title, str(sum(known.values())) if known else "-", _few(places))
    away = [one.subscription for one in page.levels if not one.fetched]
    yield ("can't be fetched", str(len(away)), _few(away))


def _promotions(page: Page) -> Iterator[Sequence[str]]:
    """Those that are on, and those of the next week."""
    for obj in page.promotions:
        status = obj.get("status") or {}
        window = status.get("current") or next(iter(status.get("upcoming") or ()), None)
        if window is None:
            continue
        on = status.get("current") is not None
        if on or datetime.fromisoformat(window["warmUpFrom"]) - page.at < timedelta(days=7):
            phase = status.get("phase", "")
            yield (obj["metadata"]["name"], phase, window["start"], window["end"], str(status.get("participants", "")))


def _kinds(page: Page) -> Iterator[Sequence[str]]:
    for resource in ORDER:
        counts = Counter(one.state for one in page.objects if one.kind == resource.kind)
        if counts:
            some = (counts[state] for state in (State.FINE, State.WAY, State.WRONG))
            yield (resource.kind, str(counts.total()), *map(str, some))


def _few(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _age(since: datetime | None, now: datetime) -> str:
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _json(page: Page) -> dict[str, Any]:
    def flat(one: Judged) -> dict[str, Any]:
        findings = [asdict(each) | {"since": each.since.isoformat() if each.since else None} for each in one.findings]
        return asdict(one) | {"findings": findings}

    return {
        "at": page.at.isoformat(timespec="seconds"),
        "wrong": page.wrong,
        "objects": [flat(one) for one in page.objects],
        "levels": [asdict(one) for one in page.levels],
        "promotions": [
            {"name": obj["metadata"]["name"]}
            | {k: v for k, v in (obj.get("status") or {}).items() if k != "conditions"}
            for obj in page.promotions
        ],
        "next": next_steps(page),
    }
