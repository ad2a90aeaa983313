# SPDX-License-Identifier: Apache-2.0
"""From what a kind planned to what is applied: labels, owner reference, the hash of the rendering. Pure."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

from cairn.api.resources import ALL, GROUP, Obj, Ref
from cairn.engine.kind import Child

MANAGED_BY = "app.kubernetes.io/managed-by"
OWNER_KIND = f"{GROUP}/owner-kind"
OWNER_NAME = f"{GROUP}/owner-name"
OWNER_NAMESPACE = f"{GROUP}/owner-namespace"
"""On what stands in another namespace than its owner: Kubernetes knows no owner references across namespaces."""
OWNER_UID = f"{GROUP}/owner-uid"
RETAIN = f"{GROUP}/retain"
CONFIRM = f"{GROUP}/confirm-delete"
APPLIED = f"{GROUP}/applied"
SELECTOR = f"{MANAGED_BY}=cairn"
TEMPLATES = {
    "StatefulSet": ("template",),
    "Deployment": ("template",),
    "VirtualMachine": ("template",),
    "VirtualMachinePool": ("virtualMachineTemplate",),
}
"""Where the kinds that make other objects keep what they are made from."""


def finish(child: Child, owner: Obj) -> Obj:
    """The object as it is applied: what the plan says, and whose it is.

    What controllers make from a template carries the owner's labels too, so that its events wake the owner.
    """
    obj = copy.deepcopy(child.obj)
    meta = obj["metadata"]
    away = is_away(obj, owner)
    if owner["metadata"].get("namespace") and not meta.get("namespace") and obj["kind"] != "Namespace":
        raise ValueError(f"{obj['kind']} {meta['name']} is in no namespace: {owner['kind']} may have none such made")
    whose = owner_labels(owner) | ({OWNER_NAMESPACE: owner["metadata"]["namespace"]} if away else {})
    marks = whose | ({RETAIN: "true"} if child.retain else {})
    meta["labels"] = {**meta.get("labels", {}), **marks}
    if not child.retain and not away:
        meta["ownerReferences"] = [owner_reference(owner)]
    for template in _templates(obj):
        template_meta = template.setdefault("metadata", {})
        template_meta["labels"] = {**template_meta.get("labels", {}), **whose}
    meta["annotations"] = {**meta.get("annotations", {}), APPLIED: digest(obj)}
    return obj


def is_away(obj: Obj, owner: Obj) -> bool:
    """Whether an object stands outside of its owner's namespace: Kubernetes deletes none such with its owner."""
    home = owner["metadata"].get("namespace", "")
    return bool(home) and bool(obj["metadata"].get("namespace", "") != home)


def _templates(obj: Obj) -> list[Obj]:
    """The templates in an object, of pods and of machines, the inner ones included."""
    spec = obj.get("spec", {})
    found = [spec[key] for key in TEMPLATES.get(obj["kind"], ()) if key in spec]
    inner = [one["spec"]["template"] for one in found if "template" in one.get("spec", {})]
    return found + inner


def owner_labels(owner: Obj) -> dict[str, str]:
    meta = owner["metadata"]
    return {
        MANAGED_BY: "cairn",
        "app.kubernetes.io/part-of": "cairn",
        OWNER_KIND: owner["kind"],
        OWNER_NAME: meta["name"],
        OWNER_UID: meta["uid"],
    }


def owner_reference(owner: Obj) -> Obj:
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def digest(obj: Obj) -> str:
    """A short hash of the object's content, stable over key order."""
    return hashlib.sha256(json.dumps(obj, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def owner_of(obj: Obj) -> Ref | None:
    """Whose child the labels say an object is; None for objects that aren't Cairn's."""
    labels = obj["metadata"].get("labels") or {}
    resource = ALL.get(labels.get(OWNER_KIND, ""))
    if labels.get(MANAGED_BY) != "cairn" or resource is None or OWNER_NAME not in labels:
        return None
    namespace = labels.get(OWNER_NAMESPACE) or obj["metadata"].get("namespace", "") if resource.namespaced else ""
    return Ref(resource, namespace, labels[OWNER_NAME])


def owner_uid(obj: Obj) -> str:
    return str((obj["metadata"].get("labels") or {}).get(OWNER_UID, ""))


def retained(obj: Obj) -> bool:
    return bool((obj["metadata"].get("labels") or {}).get(RETAIN) == "true")


def applied(obj: Obj) -> str:
    """The hash of the rendering that was applied last; empty for an object that the engine never applied."""
    return str((obj["metadata"].get("annotations") or {}).get(APPLIED, ""))


def holds(desired: Any, live: Any) -> bool:
    """Whether `live` has everything that `desired` says; what others added does not matter.

    An empty desired value holds where the server dropped it. Lists of named things are matched by name.
    """
    if isinstance(desired, dict):
        if not isinstance(live, dict):
            return not desired and live is None
        return all(holds(value, live.get(key)) for key, value in desired.items())
    if isinstance(desired, list):
        return _list_holds(desired, live)
    if live is None:
        return desired in (None, "", 0, False)
    return bool(desired == live)


def _list_holds(desired: list[Any], live: Any) -> bool:
    if not isinstance(live, list):
        return not desired and live is None
    if desired and all(isinstance(item, dict) and "name" in item for item in desired):
        by_name = {item.get("name"): item for item in live if isinstance(item, dict)}
        return all(item["name"] in by_name and holds(item, by_name[item["name"]]) for item in desired)
    return len(desired) == len(live) and all(map(holds, desired, live))
