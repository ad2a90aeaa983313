# SPDX-License-Identifier: Apache-2.0
"""What is free on the nodes: read from nodes and pods as they are, all pods of the cluster, only for a preflight."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cairn.api import pods
from cairn.api.quantity import parse
from cairn.api.resources import CONFIGMAP, NODE, POD, Obj, Ref
from cairn.engine.kind import Io

AUTOSCALER = Ref(CONFIGMAP, "kube-system", "cluster-autoscaler-status")
_ZERO = Decimal()


@dataclass(frozen=True, slots=True)
class Room:
    """So much of a node that nobody has asked for."""

    cpu: Decimal
    memory: Decimal
    pods: int


@dataclass(frozen=True, slots=True)
class Nodes:
    """rooms: of the nodes that take pods; waiting: what pods without a node ask for, cpu and memory
    elastic: whether a cluster autoscaler works here; fault: why none of this is known"""

    rooms: tuple[Room, ...] = ()
    waiting: tuple[Decimal, Decimal] = (_ZERO, _ZERO)
    elastic: bool = False
    fault: str = ""


def nodes_of(nodes: Iterable[Obj], all_pods: Iterable[Obj], *, elastic: bool) -> Nodes:
    taken: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for pod in all_pods:
        if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            taken[(pod.get("spec") or {}).get("nodeName") or ""].append(requests(pod))
    rooms = tuple(_room(node, taken[node["metadata"]["name"]]) for node in nodes if _takes_pods(node))
    waiting = taken[""]
    return Nodes(rooms, (sum((cpu for cpu, _ in waiting), _ZERO), sum((mem for _, mem in waiting), _ZERO)), elastic)


def requests(pod: Obj) -> tuple[Decimal, Decimal]:
    """What the scheduler counts for it: containers together or the most of an init container, and its overhead."""
    spec = pod.get("spec") or {}
    overhead = spec.get("overhead") or {}
    found = []
    for key in ("cpu", "memory"):
        running, starting = sum((_asked(one, key) for one in spec.get("containers") or ()), _ZERO), _ZERO
        for one in spec.get("initContainers") or ():
            if one.get("restartPolicy") == "Always":  # it goes on beside the containers
                running += _asked(one, key)
                starting = max(starting, running)
            else:
                starting = max(starting, _asked(one, key))
        found.append(max(running, starting) + parse(overhead.get(key, "0")))
    return found[0], found[1]


def _asked(container: Obj, key: str) -> Decimal:
    return parse(((container.get("resources") or {}).get("requests") or {}).get(key, "0"))


def _takes_pods(node: Obj) -> bool:
    spec = node.get("spec") or {}
    shut = any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in spec.get("taints") or ())
    return not spec.get("unschedulable") and not shut and pods.condition(node, "Ready").get("status") == "True"


def _room(node: Obj, taken: list[tuple[Decimal, Decimal]]) -> Room:
    has = (node.get("status") or {}).get("allocatable") or {}
    return Room(
        cpu=max(parse(has.get("cpu", "0")) - sum(cpu for cpu, _ in taken), _ZERO),
        memory=max(parse(has.get("memory", "0")) - sum(memory for _, memory in taken), _ZERO),
        pods=max(int(parse(has.get("pods", "0"))) - len(taken), 0),
    )


@dataclass
class Look:
    """Looks at the nodes no more often than so: every Promotion whose preflight is on asks, on every event. What is
    remembered here only spares requests."""

    patience_seconds: float = 60.0
    _at: float = field(default=float("-inf"), init=False)
    _seen: Nodes = field(default=Nodes(), init=False)

    async def facts(self, io: Io) -> Mapping[str, Any]:
        """nodes, and whether they were looked at just now."""
        if time.monotonic() - self._at < self.patience_seconds:
            return {"nodes": self._seen, "fresh": False}
        try:
            elastic = await io.get(AUTOSCALER) is not None
            self._seen = nodes_of(await io.list(NODE), await io.list(POD), elastic=elastic)
        except Exception as error:  # whatever the API server says, a fact tells it
            return {"nodes": Nodes(fault=f"{type(error).__name__}: {error}"), "fresh": True}
        self._at = time.monotonic()
        return {"nodes": self._seen, "fresh": True}
