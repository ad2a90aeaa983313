# SPDX-License-Identifier: Apache-2.0
"""Seller: who somebody is, which shops are theirs, and the namespace that is their cloud."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cairn.api.base import (
    Cost,
    CustomObject,
    EntryName,
    Model,
    NameRef,
    NamespaceName,
    Quantity,
    ShopId,
    Status,
    listed,
)


class Shop(Model):
    """A shop of the seller on a selling platform."""

    name: EntryName
    """Name of this entry."""
    id: ShopId
    """The platform's number of the shop."""
    nick: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[^\x00-\x20](.*[^\x00-\x20])?$")]
    """The owner's nick on the platform, as it stands in pushed records (seller_nick)."""
    platform: Annotated[str, Field(max_length=32, pattern=r"^[a-z][a-z0-9-]*$")] = "taobao"
    """The selling platform."""


class SellerSpec(Model):
    """What the platform's admin decides about a seller."""

    id: Annotated[str, Field(max_length=20, pattern=r"^[0-9]{1,20}$")]
    """The seller's number on the platform. Immutable: identity lives here and nowhere else."""
    namespace: NamespaceName
    """The seller's namespace. Cairn makes it and adopts none that exists. Immutable."""
    shops: Annotated[tuple[Shop, ...], Field(max_length=64, json_schema_extra=listed("name"))] = ()
    """The seller's shops. Only these can be subscribed to from the seller's namespace."""
    plan_ref: NameRef
    """ServicePlan for a Seller: the quota of the namespace."""
    suspend: bool = False
    """Cairn changes nothing while this is true, and says so in the condition Suspended."""


class Used(Model):
    """A limit and what is used of it."""

    hard: Quantity
    """The limit."""
    used: Quantity = "0"
    """What is requested of it at present."""


class Quota(Model):
    """The namespace's quota."""

    cpu: Used | None = None
    """Cores that may be requested."""
    memory: Used | None = None
    """Memory that may be requested."""
    storage: Used | None = None
    """Storage that volumes may request."""


class SellerStatus(Status):
    """What Cairn found and did."""

    namespace: Annotated[str, Field(max_length=63)] | None = None
    """The namespace, once it stands."""
    quota: Quota | None = None
    """The namespace's quota and what is used of it."""
    cost: Cost | None = None
    """What the seller's plan costs."""


class Seller(CustomObject):
    """A seller: identity, shops and the namespace that is the seller's cloud, with its guards and its quota."""

    kind: Literal["Seller"] = "Seller"
    spec: SellerSpec
    """What the platform's admin decides about a seller."""
    status: SellerStatus = SellerStatus()
    """What Cairn found and did."""
