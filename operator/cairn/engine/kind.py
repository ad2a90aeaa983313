# SPDX-License-Identifier: Apache-2.0
"""The contract between the engine and a kind. Pure data and protocols: no I/O, no clock, no randomness.

A kind says what it wants to see (`wants`), may look at what is no Kubernetes object (`probe`), computes what should
be (`plan`) and carries out single deeds (`act`). Everything else is the engine's: gathering, applying, pruning,
deadlines, status, events, waking up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from pydantic import BaseModel

from cairn.api.conditions import Condition, Reason
from cairn.api.resources import Obj, Ref, Resource


@dataclass(frozen=True, slots=True, order=True)
class Within:
    """Every object of a resource in one namespace. Of a kind that the engine reconciles they come from its watch, and
    changes wake who wants them; of any other they are listed on each pass."""

    resource: Resource
    namespace: str

    def __str__(self) -> str:
        return f"{self.resource.plural} in {self.namespace}"


Want = Ref | Resource | Within
"""One object by name, every object of a resource that the engine watches (Seller, ServicePlan, …), or those of one
namespace."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the engine saw. Absent is absent: nothing here is remembered from an earlier pass.

    children: objects that this one made (by the owner labels), retained data of an
    earlier owner of the same name included; what `wants` named among them
    refs: what `wants` named; None where it doesn't exist. A wanted Resource or Within appears as one Ref per object.
    facts: what `probe` found
    missing: resources that this API server does not serve (KubeVirt, CDI, snapshots, Gateway API, metrics)
    """

    children: Mapping[Ref, Obj] = field(default_factory=dict)
    refs: Mapping[Ref, Obj | None] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    missing: frozenset[Resource] = frozenset()

    def child(self, resource: Resource, name: str, namespace: str) -> Obj | None:
        return self.children.get(Ref(resource, namespace, name))

    def ref(self, resource: Resource, name: str, namespace: str = "") -> Obj | None:
        return self.refs.get(Ref(resource, namespace, name))

    def all(self, resource: Resource) -> tuple[Obj, ...]:
        """Every observed object of a wanted resource, by namespace and name."""
        return tuple(
            obj
            for ref, obj in sorted(self.refs.items(), key=lambda item: item[0])
            if ref.resource == resource and obj is not None
        )

    def within(self, resource: Resource, namespace: str) -> tuple[Obj, ...]:
        """Every observed object of a wanted resource in one namespace, by name."""
        return tuple(obj for obj in self.all(resource) if obj["metadata"].get("namespace", "") == namespace)


@dataclass(frozen=True, slots=True)
class Child:
    """An object that should exist. The engine adds labels, and an owner reference unless it is retained.

    retain: it holds data: no owner reference, never pruned, not deleted with its owner
    adopt: may take over retained data that an earlier owner of the same kind and name left
    """

    obj: Obj
    retain: bool = False
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One idempotent deed that is not an apply: SQL, a password, a resize, a consumer on the bus.

    The plan lists it while what was observed says that it is still to be done; when it is done, the next plan no
    longer lists it. `args` never holds a secret: the deed reads those by name.

    first: before the children are applied, and whatever becomes of them: what takes access away waits for nothing
    """

    name: str
    args: Mapping[str, Any] = field(default_factory=dict)
    deadline_seconds: float = 20.0
    first: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What should be, given what was seen.

    children: applied in this order; what the kind owns and the plan no longer holds is pruned, retained data excepted
    status: the status but for `conditions` and `observedGeneration`
    conditions: the first is always Ready
    actions: run in this order after the children were applied, those marked `first` before them; any action leads to
      another pass at once
    next: when to look again although nothing changed
    hold: prune nothing in this pass (the plan could not be computed in full, or waits for something)
    delete: children to delete although they are retained (the user asked for it in so many words)
    released: while the object is being deleted: nothing is left to do, the finalizer may go
    """

    children: tuple[Child, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    next: datetime | None = None
    hold: bool = False
    delete: tuple[Ref, ...] = ()
    released: bool = False


class ActionError(Exception):
    """A deed that failed for a reason its user can understand. The engine shows it on `Ready` and tries again later."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Io(Protocol):
    """What a probe or an action may do to the cluster."""

    async def get(self, ref: Ref) -> Obj | None:
        """The live object, or None."""

    async def create(self, obj: Obj, owner: Obj | None = None) -> Obj | None:
        """Create it, with the engine's owner labels; None where an object of this name exists already.

        owner: whose labels, if not those of the object that acts
        """

    async def submit(self, obj: Obj, manager: str) -> Obj | None:
        """Create an object as its user would write it: nobody's child. None where one of this name exists already."""

    async def update_data(self, ref: Ref, data: Mapping[str, bytes]) -> None:
        """Set keys of a Secret of ours."""

    async def patch(self, ref: Ref, body: Obj, subresource: str | None = None, manager: str = "") -> Obj:
        """JSON merge patch. manager: another field manager than the engine's, for what users own"""

    async def list(self, resource: Resource, namespace: str = "", labels: str = "") -> list[Obj]:
        """All of a resource, in one namespace if given, by label selector if given."""

    async def delete(self, ref: Ref, uid: str) -> None:
        """Delete this very object; one of the same name and another uid is left alone."""

    async def reclaim(self, volume: str, claim: Ref, policy: str) -> None:
        """Set what becomes of a PersistentVolume (Retain or Delete) when its claim goes, if it is this claim's."""


class Kind(Protocol):
    """One kind of user-written object. Implementations hold settings only, no state.

    While spec.suspend is true the engine plans nothing, and says so in `Suspended`; a kind to which it means something
    else has an attribute `plans_suspended = True`, and its plan sees to it.
    """

    @property
    def resource(self) -> Resource:
        """What users write."""

    @property
    def model(self) -> type[BaseModel]:
        """The whole object's model: what it refuses ends as Stalled, InvalidSpec."""

    @property
    def children(self) -> tuple[Resource, ...]:
        """Watched kinds of what it makes. Secrets, Roles and RoleBindings are never watched: see `unwatched`."""

    @property
    def finalizer(self) -> bool:
        """Whether something outside the cluster (or retained data) must be seen to before the object goes."""

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        """Secrets and RoleBindings that this object may have made, read by name on every pass."""

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        """What else must be seen to plan. Asked again until nothing new is wanted: wants may build on what was seen."""

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        """Look at what is no Kubernetes object, within 10 s. Never raises for a remote fault: a fact says so."""

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        """What should be. Pure and total: a user's error is a condition, never an exception."""

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        """Carry out one action of the plan. Raises ActionError."""
