# SPDX-License-Identifier: Apache-2.0
"""Kinds of others (KubeVirt, CDI, snapshots, gateways, metrics) as the API server needs them for rights and policies:
that they are served, and under which name. What is in them is judged where the real ones run.
"""

from __future__ import annotations

from typing import Any

from cairn.api.resources import (
    DATASOURCE,
    DATAVOLUME,
    HTTPROUTE,
    KUBEVIRT,
    PODMETRICS,
    VIRTUALMACHINE,
    VMI,
    VMPOOL,
    VOLUMESNAPSHOT,
    VOLUMESNAPSHOTCLASS,
    Resource,
)

RESOURCES = (
    KUBEVIRT,
    VIRTUALMACHINE,
    VMI,
    VMPOOL,
    DATAVOLUME,
    DATASOURCE,
    VOLUMESNAPSHOT,
    VOLUMESNAPSHOTCLASS,
    HTTPROUTE,
    PODMETRICS,
)
_FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def crd(resource: Resource) -> dict[str, Any]:
    """A CustomResourceDefinition that takes anything."""
    approved = {"api-approved.kubernetes.io": "unapproved, for tests"} if resource.group.endswith(".k8s.io") else {}
    version = {"name": resource.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": _FREE}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}", "annotations": approved},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
            },
            "versions": [version],
        },
    }


def crds() -> list[dict[str, Any]]:
    return [crd(resource) for resource in RESOURCES]
