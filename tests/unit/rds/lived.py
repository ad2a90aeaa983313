# SPDX-License-Identifier: Apache-2.0
"""A server that lives: what plans say is applied, and a StatefulSet controller, a kubelet and PostgreSQL answer."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from cairn.api import resize
from cairn.api.quantity import compare
from cairn.api.resources import CONFIGMAP, POD, STATEFULSET, Obj, Ref, ref_of
from cairn.engine.kind import Action, Observed, Plan
from cairn.rds import objects
from unit.rds import world

POD_REF = Ref(POD, world.NAMESPACE, "shop-db-0")
PASSES = 20


def promotion(
    name: str = "double-11", *, starts_in: timedelta, lasts: timedelta = timedelta(hours=28), **spec: Any
) -> Obj:
    """One that begins so long after `world.NOW`."""
    start = (world.NOW + starts_in).strftime("%Y-%m-%dT%H:%M:%S")
    windows = [{"name": "main", "start": start, "duration": f"{int(lasts.total_seconds())}s"}]
    fields = {"timeZone": "UTC", "windows": windows, "warmUp": "6h", "coolDown": "12h"}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": name},
        "spec": fields | spec,
    }


def plan_of(name: str, cpu: str, memory: str, connections: int, rank: int = 0) -> Obj:
    size = {"cpu": cpu, "memory": memory, "storage": "1Gi", "connections": connections}
    return world.service_plan(name, size=size, rank=rank)


class Life:
    """One SellerRDS and what surrounds it. The node grants any size, unless `keeps_memory`."""

    def __init__(self, obj: Obj, refs: Iterable[Obj] = ()) -> None:
        self.obj = obj
        self.refs = copy.deepcopy([*world.REFS, world.volume(), *refs])
        self.children: dict[Ref, Obj] = {ref_of(one): one for one in (*world.secrets(), world.claim())}
        self.keeps_memory = False
        self.restarts = 0
        self.done: list[str] = []
        self._loaded: dict[str, str] = {}
        self._loaded_at = world.NOW

    def observed(self, now: datetime) -> Observed:
        facts = {}
        if POD_REF in self.children:
            facts = world.facts(parameters=self._loaded, loadedAt=self._loaded_at.isoformat())
        return world.seen(*self.children.values(), refs=self.refs, found=facts)

    def settle(self, now: datetime) -> Plan:
        """Passes until nothing is left to do; time goes on by a minute where the plan waits for a reload."""
        last = None
        for _ in range(PASSES):
            plan = world.KIND.plan(self.obj, self.observed(now), now)
            self._apply(plan)
            for action in plan.actions:
                self._act(action, now)
            self._controller(now)
            settled, last = plan == last and not plan.actions, plan
            if settled:
                if plan.next is None or plan.next > now + timedelta(minutes=1):
                    return plan
                now = plan.next
        raise AssertionError(f"it never settles: {[action.name for action in plan.actions]}")

    @property
    def pod(self) -> Obj | None:
        return self.children.get(POD_REF)

    @property
    def size(self) -> tuple[str, str]:
        """That the pod really has."""
        found = resize.limits(self.pod["status"]["containerStatuses"][0]) if self.pod else None
        return found or ("", "")

    @property
    def template(self) -> tuple[str, str] | None:
        stateful_set = self.children[Ref(STATEFULSET, world.NAMESPACE, "shop-db")]
        return resize.limits(stateful_set["spec"]["template"]["spec"]["containers"][0])

    @property
    def parameters(self) -> dict[str, str]:
        """That the server runs with."""
        return dict(self._loaded)

    def crash(self) -> None:
        """The pod is gone, as with its node; the next one is made from the template."""
        del self.children[POD_REF]

    def _apply(self, plan: Plan) -> None:
        for child in plan.children:
            ref = ref_of(child.obj)
            if ref.resource.kind != "PersistentVolumeClaim":
                self.children[ref] = world.owned(child.obj)
        conditions = [
            {"type": c.type, "status": str(c.status), "reason": str(c.reason), "message": c.message,
             "lastTransitionTime": "2026-11-22T00:00:00Z"} for c in plan.conditions
        ]  # fmt: skip
        self.obj["status"] = copy.deepcopy(dict(plan.status)) | {"conditions": conditions}

    def _act(self, action: Action, now: datetime) -> None:
        self.done.append(action.name)
        if action.name == "resize":
            self._resize(action.args["cpu"], action.args["memory"])
        elif action.name == "reload":
            started = {key: self._loaded[key] for key in ("max_connections", "shared_buffers")}
            self._loaded = self._configured() | started
            self._loaded_at = now
        elif action.name == "restart":
            assert self.pod
            assert action.args["uid"] == self.pod["metadata"]["uid"]
            self.crash()
        else:
            raise AssertionError(f"{action} in a world in which everything stands")

    def _resize(self, cpu: str, memory: str) -> None:
        assert self.pod
        asked = resize.body(self.pod, objects.CONTAINER, (cpu, memory))
        assert asked
        self.pod["spec"]["containers"] = asked["spec"]["containers"]
        status, size = self.pod["status"], {"cpu": cpu, "memory": memory}
        status["conditions"] = [c for c in status["conditions"] if c["type"] != "PodResizeInProgress"]
        if self.keeps_memory and compare(memory, self.size[1]) < 0:
            entry = {"type": "PodResizeInProgress", "status": "True", "reason": "Error", "message": "below usage"}
            status["conditions"].append(entry)
        else:
            status["containerStatuses"][0]["resources"] = {"requests": size, "limits": dict(size)}

    def _configured(self) -> dict[str, str]:
        text = self.children[Ref(CONFIGMAP, world.NAMESPACE, "shop-db-config")]["data"]["postgresql.conf"]
        lines = [line.split(" = ", 1) for line in text.splitlines() if " = " in line]
        known = world.facts()["server"]["parameters"]
        return {key: value for key, value in lines if key in known}

    def _controller(self, now: datetime) -> None:
        stateful_set = self.children.get(Ref(STATEFULSET, world.NAMESPACE, "shop-db"))
        if stateful_set is None:
            return
        if not stateful_set["spec"]["replicas"]:
            self.children.pop(POD_REF, None)
        elif POD_REF not in self.children:
            cpu, memory = self.template or ("", "")
            pod = world.pod(cpu, memory, template=stateful_set["spec"]["template"], startTime=now.isoformat())
            self.restarts += 1
            pod["metadata"]["uid"] = f"pod-{self.restarts}"
            self.children[POD_REF] = pod
            self._loaded, self._loaded_at = self._configured(), now
