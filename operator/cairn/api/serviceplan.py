# SPDX-License-Identifier: Apache-2.0
"""ServicePlan: a named size with a price."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cairn.api.base import Count, CustomObject, Model, Money, Quantity, Status, listed

PlanFor = Literal["PushSubscription", "Seller", "SellerRDS"]
Connections = Annotated[int, Field(ge=5, le=10000)]


class Size(Model):
    """How big. Which of these a plan needs depends on what it is for."""

    cpu: Quantity | None = None
    """Cores, such as 500m or 4."""
    memory: Quantity | None = None
    """Memory, such as 16Gi."""
    storage: Quantity | None = None
    """Storage: for a Seller the most that all volumes may hold, for a SellerRDS the included size of its volume."""
    connections: Connections | None = None
    """For a SellerRDS: connections that clients may open."""


class Price(Model):
    """A price and the day from which it holds."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of this entry, such as 2026-11."""
    from_: Annotated[str, Field(alias="from", max_length=10, json_schema_extra={"format": "date"})]
    """First day on which it holds (UTC), as 2026-11-01."""
    monthly: Money
    """Price of one month in the platform's currency, a decimal number as a string."""


class ServicePlanSpec(Model):
    """A size and its prices."""

    for_: Annotated[PlanFor, Field(alias="for")]
    """The kind that may use it. Immutable."""
    size: Size
    """How big. Immutable: a new size is a new plan, so that one edit never resizes what runs."""
    prices: Annotated[tuple[Price, ...], Field(max_length=60, json_schema_extra=listed("name"))] = ()
    """Prices by their first day, oldest first. Appended, never edited: the past keeps its price."""
    deprecated: bool = False
    """Refuse new users; those who have it keep it."""


class CurrentPrice(Model):
    """The price in force."""

    currency: Annotated[str, Field(max_length=3)]
    """Currency as ISO 4217 code."""
    monthly: Money
    """Price of one month."""


class ServicePlanStatus(Status):
    """What Cairn found."""

    used_by: Count | None = None
    """How many objects use the plan. It can't be deleted while there are any."""
    price: CurrentPrice | None = None
    """The price in force now; absent while none is."""


class ServicePlan(CustomObject):
    """A named size with a price, which a Seller, a SellerRDS or a PushSubscription refers to by planRef."""

    kind: Literal["ServicePlan"] = "ServicePlan"
    spec: ServicePlanSpec
    """A size and its prices."""
    status: ServicePlanStatus = ServicePlanStatus()
    """What Cairn found."""
