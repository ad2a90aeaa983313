# SPDX-License-Identifier: Apache-2.0
"""What a kind's probes and actions may do to the cluster, in the name of one object."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from cairn.api.resources import PV, Obj, Ref, Resource, ref_of
from cairn.engine import render
from cairn.engine.cluster import FIELD_MANAGER, Cluster
from cairn.engine.kind import Child


class OwnerIo:
    """The `Io` of one object's probes and actions: what it creates carries that object's labels.

    `seen` is told what the server answered: the next pass must know of a deed that no watch has told of yet, else it
    does it once more.
    """

    def __init__(self, cluster: Cluster, owner: Obj, seen: Callable[[Ref, Obj], None]) -> None:
        self._cluster = cluster
        self._owner = owner
        self._seen = seen

    async def get(self, ref: Ref) -> Obj | None:
        return await self._cluster.get(ref)

    async def create(self, obj: Obj, owner: Obj | None = None) -> Obj | None:
        retain = (obj["metadata"].get("labels") or {}).get(render.RETAIN) == "true"
        made = render.finish(Child(obj, retain=retain), owner or self._owner)
        del made["metadata"]["annotations"][render.APPLIED]  # the mark of what is pruned when no longer planned
        answer = await self._cluster.create(made)
        if answer is not None:
            self._seen(ref_of(made), answer)
        return answer

    async def submit(self, obj: Obj, manager: str) -> Obj | None:
        return await self._cluster.create(obj, manager=manager)

    async def update_data(self, ref: Ref, data: Mapping[str, bytes]) -> None:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        await self._cluster.patch(ref, {"data": encoded})

    async def patch(self, ref: Ref, body: Obj, subresource: str | None = None, manager: str = "") -> Obj:
        answer = await self._cluster.patch(ref, body, subresource=subresource, manager=manager or FIELD_MANAGER)
        if answer.get("kind") == ref.resource.kind:
            self._seen(ref, answer)
        return answer

    async def list(self, resource: Resource, namespace: str = "", labels: str = "") -> list[Obj]:
        return await self._cluster.list(resource, namespace=namespace or None, labels=labels)

    async def delete(self, ref: Ref, uid: str) -> None:
        await self._cluster.delete(ref, uid=uid)

    async def reclaim(self, volume: str, claim: Ref, policy: str) -> None:
        ref = Ref(PV, "", volume)
        bound = (((await self._cluster.get(ref)) or {}).get("spec") or {}).get("claimRef") or {}
        # What was seen may be a moment old, and volumes belong to the whole cluster.
        if (bound.get("namespace"), bound.get("name")) == (claim.namespace, claim.name):
            await self._cluster.patch(ref, {"spec": {"persistentVolumeReclaimPolicy": policy}})
