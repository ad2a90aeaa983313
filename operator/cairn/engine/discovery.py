# SPDX-License-Identifier: Apache-2.0
"""Which of the optional APIs an API server has: KubeVirt, CDI, snapshots, Gateway API, metrics."""

from __future__ import annotations

from typing import Protocol

from cairn.api.resources import ALL, BUILT_IN, Obj, Resource

OPTIONAL = frozenset(resource for resource in ALL.values() if resource.group not in BUILT_IN)


class Groups(Protocol):
    """As much of a cluster's client as is needed."""

    async def served(self, api_version: str) -> Obj:
        """The APIResourceList of a group and version; empty where it isn't served."""


async def missing_apis(cluster: Groups) -> frozenset[Resource]:
    """Of the optional resources those that are not served. Raises ApiError where that can't be found out."""
    plurals: dict[str, set[str]] = {}
    for api_version in sorted({resource.api_version for resource in OPTIONAL}):
        listed = await cluster.served(api_version)
        plurals[api_version] = {entry["name"] for entry in listed.get("resources", ())}
    return frozenset(resource for resource in OPTIONAL if resource.plural not in plurals[resource.api_version])
