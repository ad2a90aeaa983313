# SPDX-License-Identifier: Apache-2.0
"""PushSubscription: a shop's records, pushed into the seller's own database."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import (
    NAME_IS_LABEL,
    NAME_LENGTH,
    Cost,
    Count,
    CustomObject,
    DatabaseName,
    Model,
    NameRef,
    ShopId,
    Status,
    database_name_free,
    listed,
)
from cairn.api.rules import Rule, immutable
from cairn.api.schedule import Next, Participation, PlanStatus

DatasetName = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")]


class History(Model):
    """Records from before the subscription, asked for from the platform."""

    days: Annotated[int, Field(ge=0, le=90)] = 0
    """How many days back; 0 brings in nothing. More days may be asked for later; fewer take nothing away."""
    max_rows_per_second: Annotated[int, Field(ge=1, le=100000)] = 500
    """How fast, over all shops and datasets, so that what is pushed is not held up."""


class Retention(Model):
    """How long records of trades, refunds and other datasets whose descriptor says `expires` are kept."""

    days: Annotated[int, Field(ge=0, le=3650)] = 0
    """Records that were last changed longer ago are deleted, for good; 0 keeps everything for ever. From 0 to any, and
    to fewer, only where the annotation cairn.dev/confirm-retention says the same number."""


class Audit(Model):
    """What stands is compared with what the platform has, hour by hour."""

    repair: bool = True
    """Bring in again what is missing, old or changed. Without it, it is told only."""


class PushSubscriptionSpec(Model):
    """Which records go where."""

    rules: ClassVar[tuple[Rule, ...]] = (
        immutable("databaseRef.name", "make another PushSubscription", name="databaseref-immutable"),
        Rule(
            name="databasename-immutable",
            field="databaseName",
            cel="has(self.databaseName) == has(oldSelf.databaseName)"
            " && (!has(self.databaseName) || self.databaseName == oldSelf.databaseName)",
            twin=lambda new, old: new.get("databaseName") == old.get("databaseName"),
            message="spec.databaseName can't be changed, added or removed: make another PushSubscription",
            reason="FieldValueForbidden",
        ),
        database_name_free("databaseName", "databaseName"),
        Rule(
            name="promotion-plans-need-a-plan",
            field="promotions",
            cel="has(self.planRef) || !self.promotions.exists(p, has(p.planRef))",
            twin=lambda new, _: "planRef" in new or not any("planRef" in one for one in new["promotions"]),
            message="spec.promotions: planRef needs spec.planRef to return to afterwards: add it, or leave it out",
        ),
    )

    database_ref: NameRef
    """SellerRDS in the same namespace that the records are written to. Immutable."""
    database_name: DatabaseName | None = None
    """Database of that server; it must be one of its spec.databases. Not for MySQL and MariaDB, where records always go
    to the databases sys_info and platform. Immutable."""
    shops: Annotated[tuple[ShopId, ...], Field(min_length=1, max_length=64, json_schema_extra=listed())]
    """Numbers of the shops whose records are wanted: shops of the Seller whose namespace this is."""
    datasets: Annotated[tuple[DatasetName, ...], Field(min_length=1, max_length=32, json_schema_extra=listed())] = (
        "trades",
        "refunds",
    )
    """Kinds of records."""
    history: History = History()
    """Records from before the subscription. Needs a platform that answers for them: push.source of the chart."""
    retention: Retention = Retention()
    """How long records are kept."""
    audit: Audit = Audit()
    """What stands is compared with what the platform has, wherever the platform answers for its records."""
    paused: bool = False
    """Write nothing for now; records wait on the bus and none is lost."""
    plan_ref: NameRef | None = None
    """ServicePlan for a PushSubscription: size and price of the worker. By default a small one."""
    promotions: Annotated[tuple[Participation, ...], Field(max_length=16, json_schema_extra=listed("name"))] = ()
    """Promotions that the worker takes part in: the seller pays, so the seller decides."""
    suspend: bool = False
    """Cairn changes nothing while this is true, and says so in the condition Suspended. The worker goes on."""


NAME_WITHOUT_DOUBLE_DASH = Rule(
    name="name-without-double-dash",
    field="metadata.name",
    cel="!self.metadata.name.contains('--')",
    twin=lambda new, _: "--" not in new["metadata"]["name"],
    message="metadata.name {value} must not contain two dashes in a row, which separate it from the namespace on the"
    " bus: use one",
)


class Worker(Model):
    """The program that writes."""

    ready: bool = False
    """Whether it reads from the bus and writes to the database."""
    restarts: Count = 0
    """How often it was started again after it ended by itself."""
    member: Annotated[str, Field(max_length=253)] | None = None
    """Pod of the platform's pool that it runs in; absent where it has a pod of its own."""


class Lag(Model):
    """What is still to be written."""

    pending: Count = 0
    """Messages on the bus that were not handed out yet."""
    unacknowledged: Count = 0
    """Messages handed out and not yet committed."""


LocalTime = Annotated[str, Field(max_length=32)]


class Compared(Model):
    """What was compared. missing, stale and wrong are what the last look left as it was."""

    sent: Count = 0
    """Records that the platform has."""
    stood: Count = 0
    """Records that stand in the database."""
    missing: Count = 0
    """Records that do not stand."""
    stale: Count = 0
    """Records that stand in an older version."""
    wrong: Count = 0
    """Records whose content is another."""
    quarantined: Count = 0
    """Records that can't be written, and are kept in sys_info.jdp_quarantine."""
    repaired: Count = 0
    """Records that were mended, since the beginning."""


class ProofHour(Compared):
    """An hour of the records' own time, all shops and datasets together."""

    start: LocalTime
    """When it begins, on the platform's clock."""


class ProofDay(Compared):
    """A day of the records' own time, all shops and datasets together."""

    date: LocalTime
    """Which day, on the platform's clock."""


class Proof(Model):
    """What the platform has against what stands in the database."""

    through: LocalTime | None = None
    """Hours up to here have been compared, on the platform's clock."""
    total: Compared = Compared()
    """All hours that were compared."""
    hours: Annotated[tuple[ProofHour, ...], Field(max_length=24, json_schema_extra=listed("start"))] = ()
    """The last 24 hours that have closed."""
    days: Annotated[tuple[ProofDay, ...], Field(max_length=92, json_schema_extra=listed("date"))] = ()
    """Days that were compared."""


class Backfill(Model):
    """How far the history has come."""

    since: LocalTime
    """From when on it is brought in, on the platform's clock."""
    records: Count = 0
    """Records that were brought in."""
    complete: bool = False
    """Whether all of it stands."""


class Retained(Model):
    """How long records are kept, and what became of older ones."""

    days: Count = 0
    """In force; 0: for ever."""
    horizon: LocalTime | None = None
    """What was last changed before is deleted and not brought in again, on the platform's clock."""
    rows: Count = 0
    """Rows that were deleted."""


class PushSubscriptionStatus(Status):
    """What Cairn found and did."""

    worker: Worker | None = None
    """The program that writes."""
    consumer: Annotated[str, Field(max_length=128)] | None = None
    """Its durable consumer on the bus."""
    lag: Lag | None = None
    """What is still to be written, as of the operator's last look; live numbers are metrics."""
    quarantined: Count | None = None
    """Records in sys_info.jdp_quarantine that could not be written."""
    proof: Proof | None = None
    """What the platform has against what stands in the database."""
    history: Backfill | None = None
    """How far the history has come."""
    retention: Retained | None = None
    """How long records are kept, and what became of older ones."""
    plan: PlanStatus | None = None
    """The plan in force, and where it is going."""
    next: Next | None = None
    """What happens next by the calendar."""
    cost: Cost | None = None
    """What it costs."""
    tables: (
        Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=64, json_schema_extra=listed())]
        | None
    ) = None
    """Tables and views that stand, with their schema."""


class PushSubscription(CustomObject):
    """Orders, refunds and other records of a seller's shops, written to the seller's database as they happen."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_LENGTH, NAME_IS_LABEL, NAME_WITHOUT_DOUBLE_DASH)

    kind: Literal["PushSubscription"] = "PushSubscription"
    spec: PushSubscriptionSpec
    """Which records go where."""
    status: PushSubscriptionStatus = PushSubscriptionStatus()
    """What Cairn found and did."""
