# SPDX-License-Identifier: Apache-2.0
"""Waits for what the worker finds when it compares the platform's records with the database."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta

from demo.faults import NAMESPACE, SUBSCRIPTION
from demo.platform import ZONE, first_day
from demo.steps import DemoError, awaited
from demo.target import Obj, Target, run

DATASETS = 2
LEFT = ("missing", "stale", "wrong")


def first_look(psql: list[str], today: datetime) -> str:
    """Once the history stands, every hour is compared: what is pushed later must not be there yet."""
    query = (
        f"SELECT {DATASETS} - (SELECT count(*) FROM sys_info.jdp_backfill WHERE done_at IS NOT NULL),"
        f" (SELECT count(*) FROM sys_info.jdp_audit WHERE window_start >= '{first_day(today)}'),"
        " (SELECT coalesce(sum(stood), 0) FROM sys_info.jdp_audit)"
    )
    wanted = DATASETS * ((today - first_day(today)) // timedelta(hours=1) - 1)

    def missing() -> str:
        unfinished, hours, _ = _numbers(psql, query)
        if unfinished:
            return "the history is not complete"
        return "" if hours >= wanted else f"{hours} of {wanted} hours of the sale were compared"

    awaited("the history", missing, seconds=180)
    return f"{_numbers(psql, query)[2]:,} records of the history stand, as the platform has them"


def audited(target: Target, since: datetime, until: datetime) -> str:
    """An Operation compares and mends these hours; what it says of them."""
    name = f"audit-{int(time.time())}"
    span = {"since": _utc(since), "until": _utc(until)}
    spec = {
        "target": {"kind": "PushSubscription", "name": SUBSCRIPTION},
        "action": "audit",
        "args": {**span, "repair": True},
    }
    operation = {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Operation",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
    target.kubectl("apply", "-f", "-", stdin=json.dumps(operation))

    def status() -> Obj:
        found: Obj = (target.get("operation", "-n", NAMESPACE, name) or {}).get("status", {})
        if found.get("phase") == "Failed":
            raise DemoError(f"Operation {name} failed: {found}")
        return found

    awaited("the audit", lambda: "" if status().get("phase") == "Succeeded" else "not done", seconds=300)
    result = status()["result"]
    return ", ".join(f"{key} {result[key]:,}" for key in ("windows", *LEFT, "repaired"))


def proof(target: Target, psql: list[str]) -> str:
    """What the subscription's own status says, once it says what the worker's book has."""
    sent, repaired = _numbers(psql, "SELECT sum(sent), sum(repaired) FROM sys_info.jdp_audit")
    # Cairn looks at an object that rests every five minutes, and at once when it changes.
    looked = f"example.com/looked-at={int(time.time())}"
    target.kubectl("annotate", "pushsubscription", "-n", NAMESPACE, SUBSCRIPTION, looked, "--overwrite")

    def total() -> Obj:
        found = target.get("pushsubscription", "-n", NAMESPACE, SUBSCRIPTION) or {}
        said: Obj = found.get("status", {}).get("proof", {}).get("total", {})
        return said

    def missing() -> str:
        said = total()
        same = (said.get("sent"), said.get("repaired")) == (sent, repaired)
        return "" if same else "status.proof is not written yet"

    awaited("the proof", missing, seconds=180)
    said = total()
    if any(said[key] for key in LEFT) or said["sent"] != said["stood"]:
        raise DemoError(f"status.proof says that something is missing: {said}")
    return ", ".join(f"{key} {said[key]:,}" for key in ("sent", "stood", *LEFT, "repaired"))


def _utc(platform: datetime) -> str:
    return platform.replace(tzinfo=ZONE, microsecond=0).isoformat()


def _numbers(psql: list[str], query: str) -> list[int]:
    return [int(one) for one in run([*psql, "-XAtqF,", "-c", query]).strip().split(",")]
