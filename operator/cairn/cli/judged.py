# SPDX-License-Identifier: Apache-2.0
"""What is the matter with an object, by its conditions, and what a subscription owes of the service levels. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cairn.api.conditions import Reason
from cairn.api.resources import Obj

GOOD_WHEN_TRUE = frozenset(
    (
        *("Ready", "AclVerified", "AuditClean", "Autoscaling", "ClonesReady", "DiskResized", "Exposed", "GrantsValid"),
        *("HistoryComplete", "PeakFits", "PodResized", "PromotionsResolved", "PublicationsValid", "RequestsGranted"),
        *("Resized", "SnapshotsScheduled", "StorageResized"),
    )
)
BAD_WHEN_TRUE = frozenset(
    ("BacklogFull", "Behind", "BusUnsafe", "DurabilityWeak", "Quarantined", "RotationStuck", "Stalled")
)
NEWS_WHEN_TRUE = frozenset(
    (
        *("Deferred", "DiskCopied", "DriftRepaired", "FreezeBroken", "PendingConsent", "Reconciling"),
        *("RestartPending", "Suspended"),
    )
)
"""Not as usual, and nobody is hurt by it."""
ON_ITS_WAY = frozenset((Reason.PROGRESSING, Reason.WAITING, Reason.HISTORY_PENDING, Reason.DELETING))
AT_REST = frozenset((Reason.STOPPED, Reason.PAUSED, Reason.SUSPENDED, Reason.DELETING))
"""Nobody is served by it, as was asked for."""
PATIENCE = timedelta(minutes=15)
"""What has been on its way for longer is wrong."""


class State(StrEnum):
    WRONG = "wrong"
    WAY = "on its way"
    FINE = "ready"


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition that somebody should know of. since: when it came to stand so."""

    type: str
    reason: str
    message: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Judged:
    """An object; its findings begin with the worst."""

    kind: str
    namespace: str
    name: str
    state: State
    findings: tuple[Finding, ...]

    @property
    def label(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class Levels:
    """Of one subscription; None where nobody knows.

    lost, wrong: records, by the last look at each hour; waiting: messages on the bus, by the operator's last look
    fetched: its records can be read where they belong
    """

    subscription: str
    lost: int | None
    waiting: int | None
    wrong: int | None
    fetched: bool

    @property
    def kept(self) -> bool:
        return not self.lost and not self.wrong and self.fetched


def judged(obj: Obj, now: datetime) -> Judged:
    meta = obj["metadata"]
    found = {one["type"]: one for one in (obj.get("status") or {}).get("conditions") or ()}
    bad = [*_bad(found)]
    state = State.WRONG if bad else State.FINE
    ready = found.get("Ready")
    if ready is None:
        made = _moment(meta.get("creationTimestamp"))
        message = "the operator has not looked at it: does one lead? kubectl get lease -n cairn-system"
        bad.insert(0, Finding("Ready", "NotSeen", message, made))
        state = State.WRONG if made is None or now - made > PATIENCE else State.WAY
    elif ready["status"] != "True":
        first = _finding(ready)
        bad = [first, *(one for one in bad if one.type not in ("Ready", "Stalled"))]
        moving = "Reconciling" in found or first.reason in ON_ITS_WAY
        patient = first.since is not None and now - first.since <= PATIENCE
        state = State.WAY if moving and patient and "Stalled" not in found else State.WRONG
    return Judged(obj["kind"], meta.get("namespace", ""), meta["name"], state, tuple(bad))


def levels(obj: Obj) -> Levels:
    """Of a PushSubscription."""
    meta, status = obj["metadata"], obj.get("status") or {}
    total = (status.get("proof") or {}).get("total")
    lag = status.get("lag")
    ready: Obj = next((one for one in status.get("conditions") or () if one["type"] == "Ready"), {})
    return Levels(
        subscription=f"{meta['namespace']}/{meta['name']}",
        lost=None if total is None else int(total.get("missing", 0)),
        waiting=None if lag is None else int(lag.get("pending", 0)) + int(lag.get("unacknowledged", 0)),
        wrong=None if total is None else int(total.get("stale", 0)) + int(total.get("wrong", 0)),
        fetched=ready.get("status") == "True" or ready.get("reason") in AT_REST,
    )


def _bad(found: Mapping[str, Any]) -> Iterator[Finding]:
    for type_, one in found.items():
        true = one["status"] == "True"
        if (type_ in BAD_WHEN_TRUE and true) or (
            type_ in GOOD_WHEN_TRUE and one["status"] == "False" and one["reason"] not in ON_ITS_WAY
        ):
            yield _finding(one)


def _finding(one: Mapping[str, Any]) -> Finding:
    since = _moment(one.get("lastTransitionTime"))
    return Finding(one["type"], one["reason"], one.get("message", ""), since)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
