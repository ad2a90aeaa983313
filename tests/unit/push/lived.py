# SPDX-License-Identifier: Apache-2.0
"""A worker that lives: what plans say is applied, and a Deployment controller and a kubelet answer."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cairn.api import resize
from cairn.api.quantity import compare
from cairn.api.resources import DEPLOYMENT, POD, Obj, Ref, ref_of
from cairn.engine.kind import Action, Observed, Plan
from cairn.push import objects
from unit.push import test_plan as world

DEPLOYED = Ref(DEPLOYMENT, world.NAMESPACE, "orders-push")
PASSES = 12


def plan_of(name: str, cpu: str, memory: str, rank: int = 0) -> Obj:
    prices = [{"name": "a", "from": "2026-01-01", "monthly": "73", "hourly": "0.1"}]
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "ServicePlan",
        "metadata": {"name": name},
        "spec": {"for": "PushSubscription", "size": {"cpu": cpu, "memory": memory}, "rank": rank, "prices": prices},
    }


def promotion(start: datetime, **spec: Any) -> Obj:
    """28 hours from `start` on, with a warm-up of 6 and a cool-down of 12."""
    windows = [{"name": "main", "start": start.strftime("%Y-%m-%dT%H:%M:%S"), "duration": "28h"}]
    fields = {"timeZone": "UTC", "windows": windows, "warmUp": "6h", "coolDown": "12h"}
    return {
        "apiVersion": "cairn.dev/v1alpha1",
        "kind": "Promotion",
        "metadata": {"name": "double-11"},
        "spec": fields | spec,
    }


class Life:
    """One PushSubscription and its worker. The node grants any size, unless `keeps_memory`."""

    def __init__(self, obj: Obj, refs: Iterable[Obj]) -> None:
        self.obj = obj
        self.refs = copy.deepcopy([*world.REFS, *refs])
        self.children: dict[Ref, Obj] = {ref_of(world.credentials()): world.credentials()}
        self.keeps_memory = False
        self.pods_made = 0
        self.done: list[str] = []
        self.consumed = list(world.SUBJECTS)

    def observed(self) -> Observed:
        consumer = {"filterSubjects": self.consumed, "pending": 0, "unacknowledged": 0}
        return world.seen(*self.children.values(), refs=self.refs, found=world.facts({"consumer": consumer}))

    def settle(self, now: datetime) -> Plan:
        for _ in range(PASSES):
            plan = world.KIND.plan(self.obj, self.observed(), now)
            before = copy.deepcopy((self.children, self.obj.get("status")))
            made = self.pods_made
            for child in plan.children:
                self._apply(child.obj)
            conditions = [world.condition(c.type, str(c.status)) | {"reason": str(c.reason)} for c in plan.conditions]
            self.obj["status"] = copy.deepcopy(dict(plan.status)) | {"conditions": conditions}
            for action in plan.actions:
                self._act(action)
            if (self.children, self.obj.get("status")) == before and not plan.actions and made == self.pods_made:
                return plan
        raise AssertionError(f"it never settles: {[action.name for action in plan.actions]}")

    @property
    def pod(self) -> Obj | None:
        return next((obj for ref, obj in self.children.items() if ref.resource == POD), None)

    @property
    def size(self) -> tuple[str, str]:
        """That the pod really has."""
        found = resize.limits(self.pod["status"]["containerStatuses"][0]) if self.pod else None
        return found or ("", "")

    @property
    def template(self) -> Obj:
        found: Obj = self.children[DEPLOYED]["spec"]["template"]
        return found

    def _apply(self, wanted: Obj) -> None:
        obj, ref = copy.deepcopy(wanted), ref_of(wanted)
        before = self.children.get(ref)
        self.children[ref] = obj
        if ref == DEPLOYED:
            obj["metadata"]["generation"] = 1
            obj["status"] = {"observedGeneration": 1, "updatedReplicas": obj["spec"]["replicas"]}
            changed = before is None or before["spec"]["template"] != obj["spec"]["template"]
            self._controller(obj, changed=changed)

    def _controller(self, deployment: Obj, *, changed: bool) -> None:
        """Recreate: the pod goes before the next one comes."""
        if self.pod and (changed or not deployment["spec"]["replicas"]):
            del self.children[ref_of(self.pod)]
        if self.pod is None and deployment["spec"]["replicas"]:
            self.pods_made += 1
            pod = world.pod()
            pod["metadata"] |= {"name": f"orders-push-{self.pods_made}", "uid": f"pod-{self.pods_made}"}
            pod["spec"] = copy.deepcopy(deployment["spec"]["template"]["spec"])
            pod["status"]["phase"] = "Running"
            pod["status"]["containerStatuses"][0]["resources"] = copy.deepcopy(
                pod["spec"]["containers"][0]["resources"]
            )
            self.children[ref_of(pod)] = pod

    def _act(self, action: Action) -> None:
        self.done.append(action.name)
        if action.name == "consumer":
            self.consumed = list(action.args["subjects"])
            return
        assert action.name == "resize", action
        assert self.pod
        asked = resize.body(self.pod, objects.CONTAINER, (action.args["cpu"], action.args["memory"]))
        assert asked
        self.pod["spec"]["containers"] = asked["spec"]["containers"]
        size = {"cpu": action.args["cpu"], "memory": action.args["memory"]}
        if self.keeps_memory and compare(size["memory"], self.size[1]) < 0:
            entry = {"type": "PodResizeInProgress", "status": "True", "reason": "Error", "message": "below usage"}
            self.pod["status"]["conditions"].append(entry)
        else:
            self.pod["status"]["containerStatuses"][0]["resources"] = {"requests": size, "limits": dict(size)}
