# SPDX-License-Identifier: Apache-2.0
"""Operation: one deed on a resource, with progress and a result."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import NAME_LENGTH, CustomObject, EntryName, Model, ObjectName, Status
from cairn.api.rules import Rule
from cairn.api.schedule import Moment

MACHINE_ONLY = ("snapshot", "restore", "clone")


class Target(Model):
    """What it is done to, in the same namespace."""

    kind: Literal["SellerRDS", "SellerVM"]
    """Kind of the resource."""
    name: ObjectName
    """Name of the resource."""


class Args(Model):
    """What the deed needs beside its target."""

    snapshot: ObjectName | None = None
    """For restore: the VolumeSnapshot that the stopped machine's disk is made from."""
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
        cel="self.target.kind == 'SellerVM' || !(self.action in ['snapshot', 'restore', 'clone'])",
        twin=lambda new, _: new["target"]["kind"] == "SellerVM" or new["action"] not in MACHINE_ONLY,
        message="spec.action {value} is for a SellerVM only: a SellerRDS knows start, stop and restart",
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
        name="restore-needs-confirmation",
        field="confirm",
        cel="self.action != 'restore' || (has(self.confirm) && self.confirm == self.target.name)",
        twin=lambda new, _: new["action"] != "restore" or new.get("confirm") == new["target"]["name"],
        message="spec.confirm must repeat the target's name: restore replaces the machine's disk (the old one is kept)",
        reason="FieldValueRequired",
    ),
)


class OperationSpec(Model):
    """The deed. Immutable."""

    rules: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    target: Target
    """What it is done to."""
    action: Literal["clone", "restart", "restore", "snapshot", "start", "stop"]
    """What is done."""
    args: Args | None = None
    """What the deed needs beside its target."""
    confirm: ObjectName | None = None
    """For restore: the target's name once more."""


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
    """One deed on a SellerVM or SellerRDS: start, stop, restart, snapshot, restore, clone."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_LENGTH,)

    kind: Literal["Operation"] = "Operation"
    spec: OperationSpec
    """The deed."""
    status: OperationStatus = OperationStatus()
    """How far it is."""
