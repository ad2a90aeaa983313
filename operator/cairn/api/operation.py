# SPDX-License-Identifier: Apache-2.0
"""Operation: one deed on a resource, with progress and a result."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import NAME_LENGTH, Count, CustomObject, EntryName, Model, ObjectName, ShopId, Status, listed
from cairn.api.operation_rules import ARGS_RULES, SPEC_RULES
from cairn.api.pushsubscription import DatasetName
from cairn.api.rules import Rule
from cairn.api.schedule import Moment


class Target(Model):
    """What it is done to, in the same namespace."""

    kind: Literal["IntegrationTenant", "PushSubscription", "SellerRDS", "SellerVM"]
    """Kind of the resource."""
    name: ObjectName
    """Name of the resource."""


class Args(Model):
    """What the deed needs beside its target."""

    rules: ClassVar[tuple[Rule, ...]] = ARGS_RULES

    snapshot: ObjectName | None = None
    """For restore: the VolumeSnapshot that the stopped machine's disk is made from."""
    shop: ShopId | None = None
    """For erase: the shop that the buyer bought in."""
    ouid: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_=+/.-]+$")] | None = None
    """For erase: the buyer, by the ouid in that shop."""
    name: EntryName | None = None
    """For clone: name of the new SellerVM. For snapshot: name of the snapshot, by default the Operation's."""
    datasets: (
        Annotated[tuple[DatasetName, ...], Field(min_length=1, max_length=32, json_schema_extra=listed())] | None
    ) = None
    """For audit, backfill, discard and replay: which of the subscription's; by default all."""
    ids: (
        Annotated[
            tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=1000, json_schema_extra=listed())
        ]
        | None
    ) = None
    """For discard and replay: records by their id in sys_info.jdp_quarantine."""
    reason: Annotated[str, Field(max_length=64, pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    """For discard and replay: records that are in sys_info.jdp_quarantine for this reason."""
    because: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """For discard: why the records are given up."""
    since: Moment | None = None
    """For audit and backfill: from when on, by the records' own time. By default the 24 hours before `until`."""
    until: Moment | None = None
    """For audit and backfill: up to when; by default now."""
    depth: Literal["deep", "light"] | None = None
    """For audit: whether the hash of each record is computed anew (deep, the default) or taken as it stands (light)."""
    repair: bool | None = None
    """For audit: whether what differs is mended; by default as the subscription's spec.audit says."""


class OperationSpec(Model):
    """The deed. Immutable."""

    rules: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    target: Target
    """What it is done to."""
    action: Literal[
        "audit", "backfill", "clone", "discard", "erase", "replay", "restart", "restore", "snapshot", "start", "stop"
    ]
    """What is done."""
    args: Args | None = None
    """What the deed needs beside its target."""
    confirm: ObjectName | None = None
    """For discard, erase and restore: the target's name once more."""


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
    tried: Count | None = None
    """Records of quarantine that were tried again."""
    written: Count | None = None
    """Of them, those that stand now."""
    refused: Count | None = None
    """Of them, those that stay in quarantine."""
    discarded: Count | None = None
    """Records of quarantine that were given up."""
    windows: Count | None = None
    """Hours that were compared, of each shop and dataset."""
    missing: Count | None = None
    """Records that still do not stand."""
    stale: Count | None = None
    """Records that still stand in an older version."""
    wrong: Count | None = None
    """Records whose content still is another."""
    repaired: Count | None = None
    """Records that were mended."""
    rows: Count | None = None
    """Records that the platform has handed out again."""


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
    IntegrationTenant shares, replay or discard what a PushSubscription has in quarantine, audit or backfill it."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_LENGTH,)

    kind: Literal["Operation"] = "Operation"
    spec: OperationSpec
    """The deed."""
    status: OperationStatus = OperationStatus()
    """How far it is."""
