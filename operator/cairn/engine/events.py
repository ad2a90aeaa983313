# SPDX-License-Identifier: Apache-2.0
"""Kubernetes events, on transitions only. An event that can't be written is dropped: the condition has the truth."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cairn.api.resources import Obj
from cairn.engine.cluster import Cluster
from cairn.engine.errors import ApiError
from cairn.engine.render import digest
from cairn.engine.status import stamp

log = logging.getLogger(__name__)

GOOD = {("Ready", "True"), ("Reconciling", "True"), ("Stalled", "False")}


class Recorder:
    """Writes one Event per condition that flipped."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def record(self, obj: Obj, condition: Mapping[str, Any], now: datetime) -> None:
        if (condition["type"], condition["status"]) == ("Reconciling", "False"):
            return  # Ready says how it ended
        try:
            await self._cluster.create(event(obj, condition, now))
        except ApiError as error:
            log.warning("event for %s %s not written: %s", obj["kind"], obj["metadata"]["name"], error.message)


def event(obj: Obj, condition: Mapping[str, Any], now: datetime) -> Obj:
    """A core/v1 Event; cluster-scoped objects have theirs in `default`, as the API server demands."""
    meta = obj["metadata"]
    namespace = meta.get("namespace", "default")
    flipped = (condition["type"], condition["status"])
    mark = digest({"uid": meta["uid"], "condition": dict(condition), "at": stamp(now)})
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta['name']}.{mark}", "namespace": namespace},
        "type": "Normal" if flipped in GOOD else "Warning",
        "reason": condition["reason"],
        "message": f"{condition['type']} is {condition['status']}: {condition['message'] or condition['reason']}",
        "involvedObject": {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": meta["name"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
            **({"namespace": namespace} if "namespace" in meta else {}),
        },
        "source": {"component": "cairn"},
        "reportingComponent": "cairn",
        "reportingInstance": "cairn",
        "firstTimestamp": stamp(now),
        "lastTimestamp": stamp(now),
        "count": 1,
    }
