# SPDX-License-Identifier: Apache-2.0
"""A small kind with everything the engine offers: watched children, a minted Secret, retained data, a finalizer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from cairn.api.conditions import Condition, Reason, progressing, ready, stalled
from cairn.api.resources import ALL, CONFIGMAP, PVC, SECRET, Obj, Ref, Resource
from cairn.engine.kind import Action, ActionError, Child, Io, Observed, Plan, Want

TOY = Resource("test.cairn.dev", "v1", "Toy", "toys")
ALL["Toy"] = TOY


class Spec(BaseModel):
    model_config = ConfigDict(extra="ignore")
    values: dict[str, str]
    data: bool = False
    fails: str = ""
    plays: str = ""


class Toy(BaseModel):
    spec: Spec


CRD: Obj = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "toys.test.cairn.dev"},
    "spec": {
        "group": TOY.group,
        "scope": "Namespaced",
        "names": {"kind": "Toy", "plural": "toys", "singular": "toy"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                        "properties": {
                            "status": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                                "properties": {
                                    "conditions": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["type"],
                                        "items": {
                                            "type": "object",
                                            "required": ["type"],
                                            "properties": {"type": {"type": "string"}},
                                            "x-kubernetes-preserve-unknown-fields": True,
                                        },
                                    }
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


class ToyKind:
    """A ConfigMap for each of spec.values, a minted Secret, a retained claim if `data`; `plays` names a sibling."""

    resource = TOY
    model: type[BaseModel] = Toy
    children: tuple[Resource, ...] = (CONFIGMAP, PVC)
    finalizer = True

    def __init__(self) -> None:
        self.passes: list[str] = []
        self.acted: list[str] = []
        self.freed = asyncio.Event()

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        yield self._secret(obj)

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        if plays := obj["spec"].get("plays"):
            yield Ref(TOY, obj["metadata"]["namespace"], plays)

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        self.passes.append(obj["metadata"]["name"])
        if obj["spec"].get("fails") == "probe":
            raise RuntimeError("this toy is broken")
        if obj["spec"].get("fails") == "hangs":
            await self._hang()
        return {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        secret = self._secret(obj)
        if "deletionTimestamp" in obj["metadata"]:
            left = secret in observed.children
            return Plan(delete=(secret,) if left else (), released=not left)
        if secret not in observed.children:
            return Plan(conditions=progressing(Reason.PROGRESSING, "making"), actions=(Action("mint"),), hold=True)
        if obj["spec"].get("fails") == "stalls":
            return Plan(conditions=stalled(Reason.INVALID_SPEC, "spec.fails: may not be stalls"), hold=True)
        wanted = {
            "acts": (Action("break"),),
            "acts-first": (Action("nothing"), Action("break", first=True)),
            "never-done": (Action("nothing"),),
        }
        actions = wanted.get(obj["spec"].get("fails", ""), ())
        beside = (Condition("Shiny", True, Reason.READY),) if actions else ()
        return Plan(self._children(obj), {"values": len(obj["spec"]["values"])}, (*ready(), *beside), actions)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        self.acted.append(action.name)
        if action.name == "break":
            raise ActionError(Reason.DATABASE_UNREACHABLE, "the toy's database does not answer")
        if action.name == "nothing":
            return
        secret = self._secret(obj)
        await io.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": secret.name,
                    "namespace": secret.namespace,
                    "labels": {"cairn.dev/retain": "true"},
                },
                "data": {"password": base64.b64encode(secrets.token_bytes(12)).decode()},
            }
        )

    async def _hang(self) -> None:
        """Stands still whatever it is told, as a call into a broken library may."""
        while not self.freed.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.freed.wait()

    def _children(self, obj: Obj) -> tuple[Child, ...]:
        meta = obj["metadata"]
        maps = tuple(
            Child(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": f"{meta['name']}-{name}", "namespace": meta["namespace"]},
                    "data": {"value": value},
                }
            )
            for name, value in sorted(obj["spec"]["values"].items())
        )
        if not obj["spec"].get("data"):
            return maps
        claim = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": f"{meta['name']}-data", "namespace": meta["namespace"]},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
        return (*maps, Child(claim, retain=True))

    @staticmethod
    def _secret(obj: Obj) -> Ref:
        return Ref(SECRET, obj["metadata"]["namespace"], f"{obj['metadata']['name']}-secret")


def toy(namespace: str, name: str, **spec: Any) -> Obj:
    return {
        "apiVersion": TOY.api_version,
        "kind": "Toy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"values": {}, **spec},
    }
