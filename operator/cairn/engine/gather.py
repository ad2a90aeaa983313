# SPDX-License-Identifier: Apache-2.0
"""Collects what a kind wants to see, from the store where it is watched and live where it is not."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from cairn.api.lookup import seller_ref
from cairn.api.resources import NAMESPACE, Obj, Ref, Resource, ref_of
from cairn.engine.cluster import Cluster
from cairn.engine.errors import RefusedError
from cairn.engine.kind import Kind, Observed, Want, Within
from cairn.engine.render import owner_of, retained
from cairn.engine.store import Store

ROUNDS = 6
"""How often wants may build on what was seen before it counts as a bug of the kind."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where objects are seen: `parents` are watched whole, the rest of `watched` by the owner's labels; what is
    `missing` the API server does not serve."""

    store: Store
    cluster: Cluster
    parents: Collection[Resource]
    watched: Collection[Resource]
    missing: frozenset[Resource] = frozenset()


async def observe(kind: Kind, obj: Obj, sources: Sources, wanted: Callable[[Want], None]) -> Observed:
    """Children and wanted objects; facts are added by the caller. What is `missing` is not asked for.

    `wanted` is told each want before it is read, so that no change in between goes unnoticed.

    Raises ApiError where a live read failed; RuntimeError where wants never settle.
    """
    me = ref_of(obj)
    children = {ref: child for ref, child in sources.store.owned_by(me).items() if _at_home(ref, me, sources.store)}
    for ref in kind.unwatched(obj):
        live = await _read(ref, sources.cluster)
        if live is not None and owner_of(live) == me and _at_home(ref, me, sources.store):
            children[ref] = live
    refs: dict[Ref, Obj | None] = {}
    asked: set[Want] = set()
    for _ in range(ROUNDS):
        new = set(kind.wants(obj, Observed(children, refs, missing=sources.missing))) - asked
        if not new:
            # in namespaces that are children too, only the kind knows the names of what no watch tells of
            own = {ref: obj for ref, obj in refs.items() if obj is not None and owner_of(obj) == me}
            at_home = {ref: obj for ref, obj in own.items() if _at_home(ref, me, sources.store)}
            return Observed({**at_home, **children}, refs, missing=sources.missing)
        asked |= new
        for want in sorted(new, key=str):
            wanted(want)
            if (want if isinstance(want, Resource) else want.resource) not in sources.missing:
                refs.update(await _fetch(want, sources))
            elif isinstance(want, Ref):
                refs[want] = None
    raise RuntimeError(f"{kind.resource.kind}: wants did not settle in {ROUNDS} rounds")


def _at_home(child: Ref, owner: Ref, store: Store) -> bool:
    """Whether a child stands where its owner may have put it: in its own namespace, or in one that is its child too.

    Anywhere else its labels are a stranger's, and nobody keeps them from being forged.
    """
    if not owner.namespace or child.namespace in ("", owner.namespace):
        return True
    home = store.get(Ref(NAMESPACE, "", child.namespace))
    return home is not None and owner_of(home) == owner


async def _fetch(want: Want, sources: Sources) -> dict[Ref, Obj | None]:
    store = sources.store
    if isinstance(want, Resource):
        return dict(store.all(want))
    if isinstance(want, Within):
        if want.resource in sources.parents:
            return dict(store.within(want.resource, want.namespace))
        return {ref_of(obj): obj for obj in await sources.cluster.list(want.resource, namespace=want.namespace)}
    if want.resource in sources.watched and (standing := store.get(want)) is not None:
        return {want: standing}
    return {want: await _read(want, sources.cluster)}


async def _read(ref: Ref, cluster: Cluster) -> Obj | None:
    """A live read. In a namespace that is no Seller's the operator may read no Secret, and none there is its own: the
    kind must get to say so. Anywhere else a refusal stays one: a Secret that is taken for missing is made anew.
    """
    try:
        return await cluster.get(ref)
    except RefusedError as error:
        if error.status != 403 or not ref.namespace:
            raise
        home = await cluster.get(Ref(NAMESPACE, "", ref.namespace))
        if home is None or seller_ref(home) is not None:
            raise
        return None


def is_own(live: Obj, owner: Obj, *, adopt: bool) -> bool:
    """Whether the engine may write an object that exists: this owner made it, or may take over retained data."""
    if owner_of(live) != ref_of(owner):
        return False
    uid = (live["metadata"].get("labels") or {}).get("cairn.dev/owner-uid")
    return bool(uid == owner["metadata"]["uid"] or (adopt and retained(live)))
