# SPDX-License-Identifier: Apache-2.0
"""Conditions as they are written: kstatus, with transition times that move only when a status flips. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from cairn.api.conditions import Condition
from cairn.api.resources import Obj

MESSAGE_LIMIT = 1024
WORDS: Mapping[bool | None, str] = {True: "True", False: "False", None: "Unknown"}


def status_of(obj: Obj, fields: Mapping[str, Any], conditions: Iterable[Condition], now: datetime) -> dict[str, Any]:
    """The whole status of an object that was planned, empty fields left out."""
    generation = obj["metadata"].get("generation", 0)
    standing = {c["type"]: c for c in obj.get("status", {}).get("conditions", [])}
    listed = [_condition(c, standing.get(c.type), generation, now) for c in conditions]
    kept = {key: value for key, value in fields.items() if value not in (None, "", [], {}, ())}
    return {"observedGeneration": generation, "conditions": listed, **kept}


def suspended_status(obj: Obj, suspended: Condition, now: datetime) -> dict[str, Any]:
    """Hands off: everything as it stood, and one condition that says so."""
    status: dict[str, Any] = dict(obj.get("status", {}))
    standing = {c["type"]: c for c in status.get("conditions", [])}
    generation = obj["metadata"].get("generation", 0)
    others = [c for c in standing.values() if c["type"] != suspended.type]
    mine = _condition(suspended, standing.get(suspended.type), generation, now)
    return {**status, "observedGeneration": generation, "conditions": [*others, mine]}


def transitions(before: Obj, after: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Conditions whose status or reason is not what it was, one that went away as False."""
    old = {c["type"]: c for c in before.get("status", {}).get("conditions", [])}
    new = {c["type"]: c for c in after["conditions"]}
    changed = [c for t, c in new.items() if _mark(old.get(t)) != _mark(c)]
    gone = [{**c, "status": "False", "message": ""} for t, c in old.items() if t not in new and c["status"] == "True"]
    return changed + gone


def _mark(condition: Mapping[str, Any] | None) -> tuple[Any, Any]:
    return (condition["status"], condition["reason"]) if condition else (None, None)


def _condition(c: Condition, standing: Mapping[str, Any] | None, generation: int, now: datetime) -> dict[str, Any]:
    word = WORDS[c.status]
    since = standing["lastTransitionTime"] if standing and standing["status"] == word else stamp(now)
    message = c.message if len(c.message) <= MESSAGE_LIMIT else c.message[: MESSAGE_LIMIT - 1] + "…"
    return {
        "type": c.type,
        "status": word,
        "reason": str(c.reason),
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }


def stamp(when: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as metav1.Time is written."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
