# SPDX-License-Identifier: Apache-2.0
"""What the watches told: objects by Ref and by owner. A cache, corrected by each resync, never the truth.

Source of the need: a watch that re-lists does not report what vanished meanwhile, so ghosts are found by `replace`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import msgspec

from cairn.api.resources import Obj, Ref, Resource, ref_of
from cairn.engine.render import owner_of


@dataclass(frozen=True, slots=True)
class Entry:
    """An object, as it came or as JSON: dicts take four times the memory of their text.

    seen_at: clock reading of the event, in seconds of the caller's clock
    """

    content: Obj | bytes
    version: int
    seen_at: float

    @property
    def obj(self) -> Obj:
        return msgspec.json.decode(self.content) if isinstance(self.content, bytes) else self.content


class Store:
    """Objects as last seen. Not thread-safe: one event loop.

    packed: resources that there are many objects of, each asked for seldom: they are kept as JSON
    """

    def __init__(self, packed: Collection[Resource] = ()) -> None:
        self._packed = packed
        self._by_resource: dict[Resource, dict[Ref, Entry]] = defaultdict(dict)
        self._by_owner: dict[Ref, set[Ref]] = defaultdict(set)
        self._by_namespace: dict[tuple[Resource, str], set[Ref]] = defaultdict(set)

    def put(self, obj: Obj, at: float) -> bool:
        """Take an object in, unless a newer one stands. Returns whether anything changed."""
        ref = ref_of(obj)
        standing = self._by_resource[ref.resource].get(ref)
        # comparable by contract since Kubernetes 1.35 (KEP-5504), within one resource
        version = int(obj["metadata"]["resourceVersion"])
        if standing is not None and version <= standing.version:
            return False
        if standing is not None:
            self._unlink(ref, standing.obj)
        obj["metadata"].pop("managedFields", None)
        content = msgspec.json.encode(obj) if ref.resource in self._packed else obj
        self._by_resource[ref.resource][ref] = Entry(content, version, at)
        self._by_namespace[ref.resource, ref.namespace].add(ref)
        if owner := owner_of(obj):
            self._by_owner[owner].add(ref)
        return True

    def drop(self, ref: Ref, *, uid: str = "") -> Obj | None:
        """Forget an object (only that uid, if given); returns what stood."""
        standing = self.get(ref)
        if standing is None or (uid and standing["metadata"]["uid"] != uid):
            return None
        del self._by_resource[ref.resource][ref]
        self._by_namespace[ref.resource, ref.namespace].discard(ref)
        self._unlink(ref, standing)
        return standing

    def get(self, ref: Ref) -> Obj | None:
        entry = self._by_resource[ref.resource].get(ref)
        return entry.obj if entry else None

    def all(self, resource: Resource) -> dict[Ref, Obj]:
        return {ref: entry.obj for ref, entry in self._by_resource[resource].items()}

    def within(self, resource: Resource, namespace: str) -> dict[Ref, Obj]:
        found = self._by_namespace.get((resource, namespace), ())
        return {ref: self._by_resource[resource][ref].obj for ref in found}

    def owned_by(self, owner: Ref) -> dict[Ref, Obj]:
        found = ((ref, self.get(ref)) for ref in sorted(self._by_owner.get(owner, ())))
        return {ref: obj for ref, obj in found if obj is not None}

    def replace(self, resource: Resource, listed: Iterable[Obj], started_at: float, at: float) -> list[Obj]:
        """Swap in a fresh LIST that began at `started_at`. Returns the objects that were missing, stale or ghosts.

        What came by an event after the LIST began is left alone: the event is newer than the list.
        """
        changed: list[Obj] = []
        present: set[Ref] = set()
        for obj in listed:
            present.add(ref_of(obj))
            if self.put(obj, at):
                changed.append(obj)
        ghosts = [
            ref
            for ref, entry in self._by_resource[resource].items()
            if ref not in present and entry.seen_at < started_at
        ]
        changed += [ghost for ref in ghosts if (ghost := self.drop(ref)) is not None]
        return changed

    def _unlink(self, ref: Ref, obj: Obj) -> None:
        owner = owner_of(obj)
        if owner and (siblings := self._by_owner.get(owner)):
            siblings.discard(ref)
            if not siblings:
                del self._by_owner[owner]
