# SPDX-License-Identifier: Apache-2.0
"""A cluster to plan against: objects from files, over a live cluster or over nothing. It is never written to.

What does not exist is taken as made: children of a plan appear as soon as they are planned, and so do Secrets that an
action would mint, so that a plan which goes in steps can be followed to its end.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Protocol

from cairn.api.crd import BY_KIND
from cairn.api.resources import ALL, DATASOURCE, NAMESPACE, Obj, Ref, Resource, ref_of
from cairn.api.validate import defaulted
from cairn.engine import render
from cairn.engine.discovery import missing_apis
from cairn.engine.kind import Child, Kind, Observed, Want, Within

NO_UID = "00000000-0000-0000-0000-000000000000"
"""The uid of an object that does not exist yet."""
WANT_ROUNDS = 6
DONE = {"Namespace": "Active", "DataVolume": "Succeeded"}
"""Phase of what others bring to its end, by kind."""
ASSUMED = (DATASOURCE,)
"""What the platform provides and no seller's file holds: without a cluster it is taken as there."""


class Live(Protocol):
    """As much of a cluster's client as is needed: `cairn.engine.cluster.Cluster`, or a test's."""

    async def get(self, ref: Ref) -> Obj | None:
        """The live object, or None."""

    async def list(self, resource: Resource, *, namespace: str | None = None, labels: str = "") -> list[Obj]:
        """All of a kind."""

    async def served(self, api_version: str) -> Obj:
        """The APIResourceList of a group and version; empty where it isn't served."""


class World:
    """What there is, and what is taken as there."""

    def __init__(self, live: Live | None = None) -> None:
        self._live = live
        self._over: dict[Ref, Obj] = {}
        self._missing: frozenset[Resource] | None = None

    async def give(self, obj: Obj) -> Obj:
        """Take an object of a file as applied: the live one's metadata and status stay, its spec is the file's."""
        live = await self._from_live(ref_of(obj))
        if crd := BY_KIND.get(obj["kind"]):
            obj = defaulted(crd.schema(), {key: value for key, value in obj.items() if key != "status"})
        meta = {"uid": NO_UID, "generation": 1, **(live or {}).get("metadata", {}), **obj["metadata"]}
        given = {**(live or {}), **obj, "metadata": meta}
        self._over[ref_of(obj)] = given
        return given

    def replace(self, obj: Obj) -> None:
        """From now on it looks like this."""
        self._over[ref_of(obj)] = obj

    async def make(self, obj: Obj) -> bool:
        """Take it as made, unless it exists."""
        ref = ref_of(obj)
        if await self.get(ref) is not None:
            return False
        status = {"status": {"phase": DONE[obj["kind"]]}} if obj["kind"] in DONE else {}
        self._over[ref] = {**obj, **status}
        return True

    async def get(self, ref: Ref) -> Obj | None:
        return self._over.get(ref) or await self._from_live(ref)

    async def observe(self, kind: Kind, obj: Obj, facts: Mapping[str, object]) -> Observed:
        """What the engine would see. RuntimeError where wants never settle."""
        children = await self.owned(kind, obj)
        missing = await self.missing()
        refs: dict[Ref, Obj | None] = {}
        asked: set[Want] = set()
        for _ in range(WANT_ROUNDS):
            new = set(kind.wants(obj, Observed(children, refs, missing=missing))) - asked
            if not new:
                named = {ref: one for ref, one in refs.items() if one and render.owner_of(one) == ref_of(obj)}
                return Observed({**named, **children}, refs, facts, missing)
            asked |= new
            for want in new:
                refs.update(await self._fetch(want))
        raise RuntimeError(f"{kind.resource.kind}: wants did not settle in {WANT_ROUNDS} rounds")

    async def missing(self) -> frozenset[Resource]:
        """APIs that the live cluster lacks; an empty world has them all."""
        if self._missing is None:
            self._missing = await missing_apis(self._live) if self._live else frozenset()
        return self._missing

    async def owned(self, kind: Kind, owner: Obj) -> dict[Ref, Obj]:
        """What the owner's labels are on."""
        me = ref_of(owner)
        found = {ref: obj for ref, obj in self._over.items() if render.owner_of(obj) == me}
        if self._live is None:
            return found
        labels = f"{render.SELECTOR},{render.OWNER_KIND}={me.resource.kind},{render.OWNER_NAME}={me.name}"
        seen: list[Obj | None] = [await self._live.get(ref) for ref in kind.unwatched(owner)]
        # who makes namespaces has children in them
        where = None if NAMESPACE in kind.children else me.namespace or None
        for resource in set(kind.children) - await self.missing():
            seen += await self._live.list(resource, namespace=where, labels=labels)
        mine = {ref_of(obj): obj for obj in seen if obj is not None and render.owner_of(obj) == me}
        return mine | found

    async def _fetch(self, want: Want) -> dict[Ref, Obj | None]:
        if isinstance(want, Ref):
            return {want: await self.get(want)}
        resource, namespace = (want.resource, want.namespace) if isinstance(want, Within) else (want, None)
        listed: list[Obj] = []
        if self._live and resource not in await self.missing():
            listed = await self._live.list(resource, namespace=namespace)
        found: dict[Ref, Obj | None] = {ref_of(obj): obj for obj in listed}
        mine = {ref: obj for ref, obj in self._over.items() if ref.resource == resource}
        return found | {ref: obj for ref, obj in mine.items() if namespace in (None, ref.namespace)}

    async def _from_live(self, ref: Ref) -> Obj | None:
        if self._live is None and ref.resource in ASSUMED:
            meta = {"name": ref.name, "namespace": ref.namespace, "uid": NO_UID}
            return {"apiVersion": ref.resource.api_version, "kind": ref.resource.kind, "metadata": meta}
        return await self._live.get(ref) if self._live and ref.resource not in await self.missing() else None


class RehearsalIo:
    """The `Io` of an action that is only rehearsed: it creates in the World, and nowhere else."""

    def __init__(self, world: World, owner: Obj) -> None:
        self._world = world
        self._owner = owner
        self.minted: dict[Ref, tuple[str, ...]] = {}

    async def get(self, ref: Ref) -> Obj | None:
        return await self._world.get(ref)

    async def create(self, obj: Obj, owner: Obj | None = None) -> Obj | None:
        made = render.finish(Child(obj, retain=render.retained(obj)), owner or self._owner)
        del made["metadata"]["annotations"][render.APPLIED]
        if not await self._world.make(made):
            return None
        self.minted[ref_of(made)] = tuple(sorted(made.get("data", {})))
        return made

    async def update_data(self, ref: Ref, data: Mapping[str, bytes]) -> None:
        live = await self._world.get(ref)
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        if live is not None:
            self._world.replace({**live, "data": {**live.get("data", {}), **encoded}})

    async def submit(self, obj: Obj, manager: str) -> Obj | None:
        raise NotImplementedError(f"{ref_of(obj)} would be made: no action that makes such an object is rehearsed")

    async def patch(self, ref: Ref, body: Obj, subresource: str | None = None, manager: str = "") -> Obj:
        raise NotImplementedError(f"{ref} would be patched: no action that patches is rehearsed")

    async def list(self, resource: Resource, namespace: str = "", labels: str = "") -> list[Obj]:
        raise NotImplementedError(f"{resource.plural} would be listed: no action that lists is rehearsed")

    async def delete(self, ref: Ref, uid: str) -> None:
        raise NotImplementedError(f"{ref} would be deleted: no action that deletes is rehearsed")

    async def reclaim(self, volume: str, claim: Ref, policy: str) -> None:
        raise NotImplementedError(f"volume {volume} would be changed: no action that changes volumes is rehearsed")


def known(objects: Iterable[Obj]) -> list[Obj]:
    """Those of kinds that Cairn reads or writes."""
    return [obj for obj in objects if obj.get("kind") in ALL and ALL[obj["kind"]].api_version == obj.get("apiVersion")]
