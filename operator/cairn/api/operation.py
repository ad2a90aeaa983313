# SPDX-License-Identifier: Apache-2.0
"""Operation: one deed on a resource, with progress and a result."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import NAME_LENGTH, CustomObject, EntryName, Model, ObjectName, ShopId, Status
from cairn.api.rules import Rule
from cairn.api.schedule import Moment

ACTIONS = {
    "SellerVM": ("clone", "restart", "restore", "snapshot", "start", "stop"),
    "SellerRDS": ("restart", "start", "stop"),
    "IntegrationTenant": ("erase",),
}
"""What can be done to what."""
_CONFIRMED = ("restore", "erase")


class Target(Model):
    """What it is done to, in the same namespace."""

    kind: Literal["IntegrationTenant", "SellerRDS", "SellerVM"]
    """Kind of the resource."""
    name: ObjectName
    """Name of the resource."""


class Args(Model):
    """What the deed needs beside its target."""

    snapshot: ObjectName | None = None
    """For restore: the VolumeSnapshot that the stopped machine's disk is made from."""
    shop: ShopId | None = None
    """For erase: the shop that the buyer bought in."""
    ouid: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_=+/.-]+$")] | None = None
    """For erase: the buyer, by the ouid in that shop."""
    name: EntryName | None = None
    """For clone: name of the new SellerVM. For snapshot: name of the snapshot, by default the Operation's."""


def _spec_immutable() -> Rule:
    return Rule(
        name="spec-immutable",
        field="target",
        cel="self == oldSelf",
        twin=lambda new, old: new == old,
        message="spec of an Operation can't be changed: it is one deed; make another one",
        reason="FieldValueForbidden",
    )


SPEC_RULES = (
    _spec_immutable(),
    Rule(
        name="action-of-the-kind",
        field="action",
        cel=" || ".join(
            f"(self.target.kind == '{kind}' && self.action in {list(known)})" for kind, known in ACTIONS.items()
        ),
        twin=lambda new, _: new["action"] in ACTIONS[new["target"]["kind"]],
        message="spec.action {value} is nothing that can be done to it: a SellerRDS knows start, stop and restart, an"
        " IntegrationTenant erase, a SellerVM all others",
    ),
    Rule(
        name="restore-needs-snapshot",
        field="args.snapshot",
        cel="(self.action == 'restore') == self.?args.?snapshot.hasValue()",
        twin=lambda new, _: (new["action"] == "restore") == ("snapshot" in new.get("args", {})),
        message="spec.args.snapshot is for the action restore, which needs it: add it, or remove it",
        reason="FieldValueRequired",
    ),
    Rule(
        name="clone-needs-name",
        field="args.name",
        cel="self.action == 'snapshot' || (self.action == 'clone') == self.?args.?name.hasValue()",
        twin=lambda new, _: (
            new["action"] == "snapshot" or (new["action"] == "clone") == ("name" in new.get("args", {}))
        ),
        message="spec.args.name is for the actions clone, which needs it, and snapshot: add it, or remove it",
        reason="FieldValueRequired",
    ),
    Rule(
        name="erase-needs-a-buyer",
        field="args.ouid",
        cel="(self.action == 'erase') == self.?args.?ouid.hasValue()"
        " && (self.action == 'erase') == self.?args.?shop.hasValue()",
        twin=lambda new, _: all((new["action"] == "erase") == (key in new.get("args", {})) for key in ("ouid", "shop")),
        message="spec.args.shop and ouid are for the action erase, which needs both: add them, or remove them",
        reason="FieldValueRequired",
    ),
    Rule(
        name="confirmed",
        field="confirm",
        cel="!(self.action in ['restore', 'erase']) || (has(self.confirm) && self.confirm == self.target.name)",
        twin=lambda new, _: new["action"] not in _CONFIRMED or new.get("confirm") == new["target"]["name"],
        message="spec.confirm must repeat the target's name: restore replaces the machine's disk (the old one is kept),"
        " erase hides a buyer from every app for good",
        reason="FieldValueRequired",
    ),
)


class OperationSpec(Model):
    """The deed. Immutable."""

    rules: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    target: Target
    """What it is done to."""
    action: Literal["clone", "erase", "restart", "restore", "snapshot", "start", "stop"]
    """What is done."""
    args: Args | None = None
    """What the deed needs beside its target."""
    confirm: ObjectName | None = None
    """For restore and erase: the target's name once more."""


class Result(Model):
    """What came of it."""

    snapshot: ObjectName | None = None
    """The snapshot that was made."""
    machine: ObjectName | None = None
    """The SellerVM that was made."""
    disk: ObjectName | None = None
    """The disk that the machine has now."""
    replaced: ObjectName | None = None
    """The disk that it had before; it is kept."""


class OperationStatus(Status):
    """How far it is."""

    phase: Annotated[str, Field(json_schema_extra={"enum": ["Waiting", "Running", "Succeeded", "Failed"]})] | None = (
        None
    )
    """Where it stands."""
    started_at: Moment | None = None
    """When Cairn began."""
    ended_at: Moment | None = None
    """When it ended, well or not."""
    before: Annotated[str, Field(max_length=128)] | None = None
    """What ran before, by its uid: a restart is done when something else runs."""
    result: Result | None = None
    """What came of it."""


class Operation(CustomObject):
    """One deed: start, stop, restart, snapshot, restore or clone a SellerVM or SellerRDS, erase a buyer from what an
    IntegrationTenant shares."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_LENGTH,)

    kind: Literal["Operation"] = "Operation"
    spec: OperationSpec
    """The deed."""
    status: OperationStatus = OperationStatus()
    """How far it is."""
