# SPDX-License-Identifier: Apache-2.0
"""The pool's Leases: one for each member that lives, one for each subscription that it may own. Pure.

A subscription's Lease is made by the operator, which says in its annotations what is wanted, and held by the member
that runs its worker, which says there how that goes.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cairn.api.resources import LEASE, Obj
from cairn.pool.assign import Claim
from cairn.pool.pace import DRAIN, LIMIT, USED, Limit

LABEL = "cairn.dev/pool"
MEMBER, SUBSCRIPTION = "member", "subscription"
"""Values of the label."""
WANTED, CONFIG = "cairn.dev/wanted", "cairn.dev/config"
MILLICORES, MEMORY = "cairn.dev/millicores", "cairn.dev/memory"
READY, RESTARTS = "cairn.dev/ready", "cairn.dev/restarts"
MEMBER_SECONDS, SUBSCRIPTION_SECONDS = 12, 30
"""How long they hold without renewal. A member is missed before what it holds may be taken."""
CLOCKS = timedelta(seconds=10)
"""How far the clocks of two machines may be apart."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A subscription in the pool. holder: the member that has it, or had it last; wanted: whether it is to run;
    seconds: how long the Lease holds; drain: seconds until its backlog is written; used: millicores of the last minute;
    limit: what sets its pace while it is late"""

    name: str
    wanted: bool
    config: str
    claim: Claim
    holder: str
    ready: bool
    restarts: int
    seconds: int = SUBSCRIPTION_SECONDS
    drain: int = 0
    used: int = 0
    limit: str = Limit.NONE


def slot(lease: Obj) -> Slot:
    notes = lease["metadata"].get("annotations") or {}
    return Slot(
        name=lease["metadata"]["name"],
        wanted=notes.get(WANTED) == "true",
        config=str(notes.get(CONFIG, "")),
        claim=claim(notes),
        holder=holder(lease),
        ready=notes.get(READY) == "true",
        restarts=_number(notes.get(RESTARTS)),
        seconds=int((lease.get("spec") or {}).get("leaseDurationSeconds") or SUBSCRIPTION_SECONDS),
        drain=_number(notes.get(DRAIN)),
        used=_number(notes.get(USED)),
        limit=str(notes.get(LIMIT, "")),
    )


def claim(notes: Mapping[str, str]) -> Claim:
    return Claim(_number(notes.get(MILLICORES)), _number(notes.get(MEMORY)))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def is_a(what: str, lease: Obj) -> bool:
    return bool((lease["metadata"].get("labels") or {}).get(LABEL) == what)


def holder(lease: Obj) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def wishes(config: str, claim: Claim, *, wanted: bool) -> dict[str, str]:
    """The operator's annotations."""
    return {
        WANTED: str(wanted).lower(),
        CONFIG: config,
        MILLICORES: str(claim.millicores),
        MEMORY: str(claim.memory),
    }


def subscription(namespace: str, name: str, notes: Mapping[str, str]) -> Obj:
    """As the operator makes it: held by nobody."""
    meta = {"name": name, "namespace": namespace, "labels": {LABEL: SUBSCRIPTION}, "annotations": dict(notes)}
    spec = {"holderIdentity": "", "leaseDurationSeconds": SUBSCRIPTION_SECONDS}
    return {"apiVersion": LEASE.api_version, "kind": "Lease", "metadata": meta, "spec": spec}


def member(namespace: str, name: str, room: Claim, pod: str, uid: str) -> Obj:
    """As a member makes its own. It goes with its pod, where it is in one."""
    notes = {MILLICORES: str(room.millicores), MEMORY: str(room.memory)}
    meta: Obj = {"name": name, "namespace": namespace, "labels": {LABEL: MEMBER}, "annotations": notes}
    if uid:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}]
    spec = {"leaseDurationSeconds": MEMBER_SECONDS}
    return {"apiVersion": LEASE.api_version, "kind": "Lease", "metadata": meta, "spec": spec}


def held(lease: Obj, by: str, now: datetime, notes: Mapping[str, str]) -> Obj:
    """Taken or renewed."""
    found = copy.deepcopy(lease)
    old = found.get("spec") or {}
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    same = old.get("holderIdentity") == by
    found["spec"] = old | {
        "holderIdentity": by,
        "acquireTime": old.get("acquireTime", at) if same else at,
        "renewTime": at,
        "leaseTransitions": int(old.get("leaseTransitions") or 0) + (not same),
    }
    found["metadata"]["annotations"] = {**(found["metadata"].get("annotations") or {}), **notes}
    return found


def given_up(lease: Obj) -> Obj:
    found = copy.deepcopy(lease)
    found["spec"] = {**(found.get("spec") or {}), "holderIdentity": ""}
    found["metadata"]["annotations"] = {**(found["metadata"].get("annotations") or {}), READY: "false"}
    return found


def free(lease: Obj, now: datetime) -> bool:
    """Whether nobody holds it any more, for one who sees it once only and must trust the holder's clock."""
    spec = lease.get("spec") or {}
    if not spec.get("holderIdentity"):
        return True
    try:
        renewed = datetime.fromisoformat(str(spec.get("renewTime")))
    except ValueError:
        return False
    return now > renewed + timedelta(seconds=int(spec.get("leaseDurationSeconds") or 0)) + CLOCKS


class Sightings:
    """Which Leases are renewed, by the clock of whoever looks on: a holder's own may be wrong."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[tuple[str, str], float]] = {}

    def look(self, leases: list[Obj], now: float) -> set[str]:
        """Names of those that are held and were renewed in time, or are seen for the first time."""
        before, self._seen = self._seen, {}
        fresh = set()
        for lease in leases:
            name, spec = lease["metadata"]["name"], lease.get("spec") or {}
            mark = (holder(lease), str(spec.get("renewTime", "")))
            known = before.get(name)
            since = known[1] if known and known[0] == mark else now
            self._seen[name] = (mark, since)
            if mark[0] and now < since + int(spec.get("leaseDurationSeconds") or 0):
                fresh.add(name)
        return fresh
