# SPDX-License-Identifier: Apache-2.0
"""Seller: who somebody is, which shops are theirs, and the namespace that is their cloud."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import (
    Cost,
    CustomObject,
    EntryName,
    HostName,
    Model,
    NameRef,
    NamespaceName,
    ObjectName,
    Quantity,
    ShopId,
    Status,
    listed,
)
from cairn.api.resources import Obj
from cairn.api.rules import Rule, Value, immutable
from cairn.api.schedule import Moment


class Billing(Model):
    """What the seller has agreed to."""

    term_months: Annotated[int, Field(ge=1, le=120)] = 1
    """Months that the seller commits to: plans may grant a discount for it."""


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


def _namespace_free(new: Obj, _: Obj) -> bool:
    return new["namespace"] != "default" and not new["namespace"].startswith(("kube-", "cairn-"))


def _shop_ids_unique(new: Obj, _: Obj) -> bool:
    ids = [shop["id"] for shop in new["shops"]]
    return len(ids) == len(set(ids))


def _ids_given_twice(new: Obj, _: Obj) -> list[str]:
    ids = [shop["id"] for shop in new["shops"]]
    return [id_ for id_ in ids if ids.count(id_) > 1]


SPEC_RULES = (
    immutable("id", "another seller is another Seller"),
    immutable("namespace", "make another Seller, then move the data"),
    Rule(
        name="namespace-reserved",
        field="namespace",
        cel="self.__namespace__ != 'default' && !self.__namespace__.startsWith('kube-')"
        " && !self.__namespace__.startsWith('cairn-')",
        twin=_namespace_free,
        message="spec.namespace {value} is not for sellers: choose a name other than default that does not start with"
        " kube- or cairn-, such as seller-2088",
    ),
    Rule(
        name="shops-unique-ids",
        field="shops",
        cel="self.shops.all(s, self.shops.exists_one(t, t.id == s.id))",
        twin=_shop_ids_unique,
        message="spec.shops lists the same id twice {value}: give each shop one entry",
        value=Value("self.shops.filter(s, !self.shops.exists_one(t, t.id == s.id)).map(s, s.id)", _ids_given_twice),
    ),
)


class SellerSpec(Model):
    """What the platform's admin decides about a seller."""

    rules: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    id: Annotated[str, Field(max_length=20, pattern=r"^[0-9]{1,20}$")]
    """The seller's number on the platform. Immutable: identity lives here and nowhere else."""
    namespace: NamespaceName
    """The seller's namespace. Cairn makes it and adopts none that exists. Immutable."""
    shops: Annotated[tuple[Shop, ...], Field(max_length=64, json_schema_extra=listed("name"))] = ()
    """The seller's shops. Only these can be subscribed to from the seller's namespace."""
    hosts: Annotated[tuple[HostName, ...], Field(max_length=64, json_schema_extra=listed())] = ()
    """Host names by which the seller's machines may be reached from outside. No other Seller may have them."""
    plan_ref: NameRef
    """ServicePlan for a Seller: the quota of the namespace, and the ceiling of its peaks."""
    billing: Billing = Billing()
    """What the seller has agreed to."""
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
    at: Moment | None = None
    """When `used` was read: it is written anew at most every half minute."""


class Needed(Model):
    """A limit as it will be, and what the namespace will need of it."""

    hard: Quantity
    """The limit of the namespace's quota while the promotion lasts."""
    needed: Quantity
    """What the namespace will need at the most."""


class PeakStatus(Model):
    """The namespace's quota during a promotion that its resources take part in, against what they will need."""

    name: ObjectName
    """Name of the Promotion."""
    cpu: Needed
    """Cores."""
    memory: Needed
    """Memory."""
    storage: Needed
    """Storage."""


class SellerStatus(Status):
    """What Cairn found and did."""

    namespace: Annotated[str, Field(max_length=63)] | None = None
    """The namespace, once it stands."""
    quota: Quota | None = None
    """The namespace's quota and what is used of it."""
    peaks: Annotated[tuple[PeakStatus, ...], Field(max_length=64, json_schema_extra=listed("name"))] = ()
    """Promotions whose preflight is on."""
    cost: Cost | None = None
    """What the seller's plan costs."""


class Seller(CustomObject):
    """A seller: identity, shops and the namespace that is the seller's cloud, with its guards and its quota."""

    kind: Literal["Seller"] = "Seller"
    spec: SellerSpec
    """What the platform's admin decides about a seller."""
    status: SellerStatus = SellerStatus()
    """What Cairn found and did."""
