# SPDX-License-Identifier: Apache-2.0
"""replay, discard, audit, backfill: the worker of a PushSubscription does it, and is asked in the seller's database,
as it knows no cluster. Pure.

Asked for once, by the Operation's uid; the worker goes on after whatever cut it off. Nothing else may hold it up: no
freeze, and no other deed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.api import database
from cairn.api.conditions import Reason
from cairn.api.lookup import parsed
from cairn.api.operation import Args, Operation
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import POD, SECRET, SELLERRDS, Obj, Ref
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Action, Observed
from cairn.operation.case import Begins, Done, Fails, Runs, Step, Waits, target_ref

SPANNED = ("audit", "backfill")
LONGEST = timedelta(days=90)
"""How far back the platform answers."""
SOON = timedelta(seconds=5)
WITHDRAW = Action("withdraw")
DEEDS = ("ask", "withdraw")


def asks(op: Operation) -> bool:
    """Whether the worker may have been asked."""
    return op.spec.target.kind == "PushSubscription" and bool(op.status.before)


def way(op: Operation, seen: Observed) -> Iterable[Ref]:
    """What the operator's way into the database goes by."""
    push = subscription(op, seen)
    if not isinstance(push, PushSubscription):
        return
    namespace, name = op.metadata.namespace, push.spec.database_ref.name
    yield Ref(SELLERRDS, namespace, name)
    live = seen.ref(SELLERRDS, name, namespace)
    rds = parsed(SellerRDS, live) if live else None
    if isinstance(rds, SellerRDS):
        yield from (Ref(SECRET, namespace, secret) for secret in database.secrets(rds))
        if rds.spec.external is None:
            yield Ref(POD, namespace, f"{name}-0")


def subscription(op: Operation, observed: Observed) -> PushSubscription | Fails:
    title = f"PushSubscription {op.spec.target.name}"
    target = observed.refs.get(target_ref(op))
    if target is None or "deletionTimestamp" in target["metadata"]:
        gone = "does not exist" if target is None else "is being deleted"
        return Fails(Reason.FAILED, f"spec.target: {title} {gone}: name one that stands, in another Operation")
    push = parsed(PushSubscription, target)
    if isinstance(push, tuple):
        return Fails(Reason.FAILED, f"spec.target: {title} can't be read: {push[0].message}")
    return push


def step(op: Operation, observed: Observed, now: datetime, platform: Platform) -> Step:
    push = subscription(op, observed)
    if isinstance(push, Fails):
        return push
    title = f"PushSubscription {push.metadata.name}"
    if op.status.phase != "Running":
        if wrong := _impossible(op, push, now, platform):
            return Fails(Reason.FAILED, wrong)
        if push.spec.suspend:
            return Waits(Reason.SUSPENDED, f"{title} is suspended: set its spec.suspend to false")
        if push.spec.paused:
            return Waits(Reason.WAITING, f"{title} is paused and has no worker: set its spec.paused to false")
        return Begins(push.metadata.uid, f"{op.spec.action} of {title}")
    if push.metadata.uid != op.status.before:
        return Fails(Reason.FAILED, f"{title} was deleted and made anew meanwhile")
    return _answered(op, title, observed.facts)


def _answered(op: Operation, title: str, facts: Obj | Any) -> Step:
    if trouble := facts.get("trouble"):
        return Runs(f"waits for the database of {title}: {trouble}")
    answer = facts.get("answer")
    if answer is None:
        return Runs(f"asks the worker of {title}", (Action("ask"),), SOON)
    if answer["state"] == "done":
        return Done(_told(answer["counts"]) or f"{op.spec.action} of {title} is done", answer["counts"])
    if answer["state"] == "failed":
        return Fails(Reason.FAILED, answer["message"])
    so_far = "; ".join(part for part in (_told(answer["counts"]), answer["message"]) if part)
    return Runs(f"the worker of {title} is at it: {so_far or 'it has not said how far it is'}", (), SOON)


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _impossible(op: Operation, push: PushSubscription, now: datetime, platform: Platform) -> str:
    """Why it can't be done. Empty where it can."""
    args = op.spec.args or Args()
    if unknown := sorted(set(args.datasets or ()) - set(push.spec.datasets)):
        there = ", ".join(sorted(push.spec.datasets))
        return f"spec.args.datasets: PushSubscription {push.metadata.name} has no {', '.join(unknown)}; it has {there}"
    if op.spec.action not in SPANNED:
        return ""
    if platform.push.source is None:
        return f"spec.action: {op.spec.action} needs a platform that answers for its records: push.source of the chart"
    since, until = span(args, now)
    if since >= until:
        return f"spec.args.since: {args.since} is not before {args.until or 'now'}: name an earlier moment"
    if since < now - LONGEST:
        return f"spec.args.since: {args.since} is more than {LONGEST.days} days ago, and no platform answers for that"
    return ""


def span(args: Args, now: datetime) -> tuple[datetime, datetime]:
    """From when to when; what lies ahead has no records yet."""
    until = min(_moment(args.until), now) if args.until else now
    return (_moment(args.since) if args.since else until - timedelta(days=1)), until


def asked(op: Operation, push: PushSubscription) -> dict[str, Any]:
    """What the worker is told."""
    args = op.spec.args or Args()
    told: dict[str, Any] = args.model_dump(
        mode="json", exclude_none=True, include={"datasets", "ids", "reason", "because"}
    )
    if op.spec.action in SPANNED:
        begun = _moment(op.status.started_at) if op.status.started_at else datetime.now(UTC)
        since, until = span(args, begun)
        told |= {"since": since.isoformat(), "until": until.isoformat()}
    if op.spec.action == "audit":
        repair = push.spec.audit.repair if args.repair is None else args.repair
        told |= {"depth": args.depth or "deep", "repair": repair}
    return told


def still_asked(op: Operation, observed: Observed) -> bool:
    """Whether a worker would go on with it."""
    return asks(op) and (observed.facts.get("answer") or {}).get("state") == "open"


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
