# SPDX-License-Identifier: Apache-2.0
"""Which of the optional APIs an API server has: KubeVirt, CDI, snapshots, Gateway API, metrics."""

from __future__ import annotations

from typing import Protocol

from cairn.api.resources import ALL, BUILT_IN, Obj, Resource
from cairn.engine.errors import UnavailableError

OPTIONAL = frozenset(resource for resource in ALL.values() if resource.group not in BUILT_IN)


class Groups(Protocol):
    """As much of a cluster's client as is needed."""

    async def served(self, api_version: str) -> Obj:
        """The APIResourceList of a group and version; empty where it isn't served."""


async def missing_apis(cluster: Groups, known: frozenset[Resource] = frozenset()) -> frozenset[Resource]:
    """Of the optional resources those that are not served. Raises ApiError where that can't be found out.

    A group whose own server is down, as metrics.k8s.io is while metrics-server restarts, is as it was `known`: the API
    server answers 503 for it alone, and nothing else may have to wait for that.
    """
    missing: set[Resource] = set()
    for api_version in sorted({resource.api_version for resource in OPTIONAL}):
        here = {resource for resource in OPTIONAL if resource.api_version == api_version}
        try:
            listed = await cluster.served(api_version)
        except UnavailableError as error:
            if error.status != 503:
                raise
            missing |= here & known
            continue
        plurals = {entry["name"] for entry in listed.get("resources", ())}
        missing |= {resource for resource in here if resource.plural not in plurals}
    return frozenset(missing)
