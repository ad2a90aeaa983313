# SPDX-License-Identifier: Apache-2.0
"""ServicePlan: a named size with a price."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import Count, CustomObject, Model, Money, Quantity, Status, listed
from cairn.api.quantity import compare
from cairn.api.resources import Obj
from cairn.api.rules import Rule, Value, between, immutable, multiple, same_quantity

PlanFor = Literal["IntegrationApp", "PushSubscription", "Seller", "SellerRDS", "SellerVM"]
Connections = Annotated[int, Field(ge=5, le=10000)]


class Size(Model):
    """How big. Which of these a plan needs depends on what it is for."""

    rules: ClassVar[tuple[Rule, ...]] = (
        between("size.cpu", "10m", "4096"),
        between("size.memory", "32Mi", "64Ti"),
        between("size.storage", "64Mi", "1Pi"),
    )

    cpu: Quantity | None = None
    """Cores, such as 500m or 4."""
    memory: Quantity | None = None
    """Memory, such as 16Gi."""
    storage: Quantity | None = None
    """Storage: for a Seller or an IntegrationApp the most that all volumes may hold, for a SellerRDS or SellerVM the
    size of its volume that is included."""
    connections: Connections | None = None
    """For a SellerRDS: connections that clients may open."""
    pods: Annotated[int, Field(ge=1, le=10000)] | None = None
    """For an IntegrationApp: the most pods in its namespace."""


class Price(Model):
    """A price and the day from which it holds."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of this entry, such as 2026-11."""
    from_: Annotated[str, Field(alias="from", max_length=10, json_schema_extra={"format": "date"})]
    """First day on which it holds (UTC), as 2026-11-01."""
    monthly: Money
    """Price of one month in the platform's currency, a decimal number as a string."""
    hourly: Money | None = None
    """Price of one hour, for promotions: without it, a promotion's hours cost the month's price divided by 730."""


class Discount(Model):
    """Less for those who commit to a term."""

    name: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of this entry, such as year."""
    months: Annotated[int, Field(ge=1, le=120)]
    """For Sellers whose spec.billing.termMonths is at least this. Of several the longest term counts."""
    percent: Annotated[int, Field(ge=1, le=100)]
    """Off the monthly price; hours are never discounted."""


class Peak(Model):
    """What promotions may add to the namespace's quota."""

    cpu: Quantity
    """Cores."""
    memory: Quantity
    """Memory."""
    storage: Quantity = "0"
    """Storage."""


class PushPlan(Model):
    """How a subscription's worker runs."""

    worker: Literal["Own", "Shared"] = "Own"
    """Own: a pod in the seller's namespace. Shared: a process in the platform's pool, where the size is what is
    reserved for it. Who uses the plan is moved when this changes, and nothing is lost."""


MEMORY_STEP = 2 * 1024 * 1024
SHARED_MEMORY = "128Mi"
SIZE_KEYS = ("cpu", "memory", "storage", "connections", "pods")


def _needs(kind: str, *keys: str) -> Rule:
    """A plan for this kind has exactly these keys of `size`: another one would do nothing."""
    wanted = [f"has(self.size.{key})" if key in keys else f"!has(self.size.{key})" for key in SIZE_KEYS]
    return Rule(
        name=f"size-of-{kind.lower()}",
        field="size",
        cel=f"self.__for__ != '{kind}' || ({' && '.join(wanted)})",
        twin=lambda new, _: new["for"] != kind or {key for key in SIZE_KEYS if key in new["size"]} == set(keys),
        message=f"spec.size of a plan for {kind} needs {', '.join(keys)} and nothing else: complete it, drop the rest",
    )


_VM_CPU, _VM_MEMORY = multiple("size.cpu"), multiple("size.memory", MEMORY_STEP)
_CPU, _MEMORY, _STORAGE = (same_quantity(f"size.{key}") for key in ("cpu", "memory", "storage"))


def _same_size(new: Obj, old: Obj) -> bool:
    if new["for"] != old["for"]:  # one complaint is enough
        return True
    numbers = [(size["size"].get("connections"), size["size"].get("pods")) for size in (new, old)]
    return numbers[0] == numbers[1] and all(holds(new, old) for _, holds in (_CPU, _MEMORY, _STORAGE))


def _none_edited(new: Obj, old: Obj) -> bool:
    return all(price in new["prices"] for price in old["prices"])


def _edited(new: Obj, old: Obj) -> list[str]:
    return [price["name"] for price in old["prices"] if price not in new["prices"]]


def _appended(new: Obj, old: Obj) -> bool:
    known = {price["name"] for price in old["prices"]}
    last = max((price["from"] for price in old["prices"]), default="")
    return all(price["name"] in known or price["from"] > last for price in new["prices"])


_SAME_PRICE = (
    "n.name == o.name && n.from == o.from && n.monthly == o.monthly"
    " && (has(o.hourly) ? has(n.hourly) && n.hourly == o.hourly : !has(n.hourly))"
)


def _ascending(new: Obj, _: Obj) -> bool:
    days = [price["from"] for price in new["prices"]]
    return days == sorted(set(days))


SPEC_RULES = (
    immutable("for", "make a plan of another name"),
    _needs("Seller", "cpu", "memory", "storage"),
    _needs("SellerRDS", "cpu", "memory", "storage", "connections"),
    _needs("SellerVM", "cpu", "memory", "storage"),
    _needs("PushSubscription", "cpu", "memory"),
    _needs("IntegrationApp", "cpu", "memory", "storage", "pods"),
    Rule(
        name="vm-size-whole",
        field="size",
        cel=f"self.__for__ != 'SellerVM' || (({_VM_CPU[0]}) && ({_VM_MEMORY[0]}))",
        twin=lambda new, _: new["for"] != "SellerVM" or (_VM_CPU[1](new, {}) and _VM_MEMORY[1](new, {})),
        message="spec.size of a plan for SellerVM needs whole cpu and memory as a multiple of 2Mi: round both up",
    ),
    Rule(
        name="peak-of-a-seller",
        field="peak",
        cel="!has(self.peak) || self.__for__ == 'Seller'",
        twin=lambda new, _: "peak" not in new or new["for"] == "Seller",
        message="spec.peak is for plans of a Seller, whose quota promotions raise: remove it",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="push-of-a-pushsubscription",
        field="push",
        cel="!has(self.push) || self.__for__ == 'PushSubscription'",
        twin=lambda new, _: "push" not in new or new["for"] == "PushSubscription",
        message="spec.push is for plans of a PushSubscription, whose worker it places: remove it",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="shared-memory",
        field="size",
        cel="!has(self.push) || self.push.worker != 'Shared' || !has(self.size.memory)"
        f" || quantity(string(self.size.memory)).compareTo(quantity('{SHARED_MEMORY}')) >= 0",
        twin=lambda new, _: (
            new.get("push", {}).get("worker") != "Shared"
            or "memory" not in new["size"]
            or compare(new["size"]["memory"], SHARED_MEMORY) >= 0
        ),
        message=f"spec.size.memory is all that a worker of the pool gets, and it needs {SHARED_MEMORY}: raise it, or"
        " set push.worker to Own",
    ),
    Rule(
        name="peak-immutable",
        field="peak",
        cel="has(self.peak) == has(oldSelf.peak) && (!has(self.peak) || self.peak == oldSelf.peak)",
        twin=lambda new, old: new.get("peak") == old.get("peak"),
        message="spec.peak can't be changed, since that would change all who use the plan: make a new plan",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="size-immutable",
        field="size",
        cel=f"self.__for__ != oldSelf.__for__ || {_CPU[0]} && {_MEMORY[0]} && {_STORAGE[0]}"
        " && self.size.?connections.orValue(0) == oldSelf.size.?connections.orValue(0)"
        " && self.size.?pods.orValue(0) == oldSelf.size.?pods.orValue(0)",
        twin=_same_size,
        message="spec.size of a plan can't be changed, since that would resize all who use it: make a new plan and"
        " point planRef at it",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="prices-never-edited",
        field="prices",
        cel=f"oldSelf.prices.all(o, self.prices.exists(n, {_SAME_PRICE}))",
        twin=_none_edited,
        message="spec.prices {value}: a price can't be changed or removed once it stands; append a new one with a later"
        " first day",
        reason="FieldValueForbidden",
        value=Value(
            f"oldSelf.prices.filter(o, !self.prices.exists(n, {_SAME_PRICE})).map(o, o.name)",
            _edited,
        ),
    ),
    Rule(
        name="prices-appended",
        field="prices",
        cel="self.prices.all(n, oldSelf.prices.exists(o, o.name == n.name) || oldSelf.prices.all(o, o.from < n.from))",
        twin=_appended,
        message="spec.prices: a new price must begin after all that stand already; give it a later `from`",
    ),
    Rule(
        name="prices-ascending",
        field="prices",
        cel="self.prices.all(i, p, i == 0 || self.prices[i - 1].from < p.from)",
        twin=_ascending,
        message="spec.prices must be ordered by `from`, one price for each day: sort them, oldest first",
    ),
)


class ServicePlanSpec(Model):
    """A size and its prices."""

    rules: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    for_: Annotated[PlanFor, Field(alias="for")]
    """The kind that may use it. Immutable."""
    size: Size
    """How big. Immutable: a new size is a new plan, so that one edit never resizes what runs."""
    prices: Annotated[tuple[Price, ...], Field(max_length=60, json_schema_extra=listed("name"))] = ()
    """Prices by their first day, oldest first. Appended, never edited: the past keeps its price."""
    rank: Annotated[int, Field(ge=0, le=1000000)] = 0
    """Order among the plans of a kind: of several that promotions ask for at a time, the highest counts; then the one
    with more cpu, more memory."""
    discounts: Annotated[tuple[Discount, ...], Field(max_length=10, json_schema_extra=listed("name"))] = ()
    """Less for those who commit to a term."""
    peak: Peak | None = None
    """For a Seller: the most that promotions may add to the quota. Without it they add nothing. Immutable."""
    push: PushPlan | None = None
    """For a PushSubscription: how its worker runs; without it, as a pod of its own."""
    deprecated: bool = False
    """Refuse new users; those who have it keep it."""


class CurrentPrice(Model):
    """The price in force."""

    currency: Annotated[str, Field(max_length=3)]
    """Currency as ISO 4217 code."""
    monthly: Money
    """Price of one month."""
    hourly: Money | None = None
    """Price of one hour; where the plan names none, the month's by 730, rounded to four digits."""


class ServicePlanStatus(Status):
    """What Cairn found."""

    used_by: Count | None = None
    """How many objects use the plan. It can't be deleted while there are any."""
    price: CurrentPrice | None = None
    """The price in force now; absent while none is."""


class ServicePlan(CustomObject):
    """A named size with a price, which a Seller, SellerVM, SellerRDS, PushSubscription or an IntegrationTenant's app
    refers to by planRef."""

    kind: Literal["ServicePlan"] = "ServicePlan"
    spec: ServicePlanSpec
    """A size and its prices."""
    status: ServicePlanStatus = ServicePlanStatus()
    """What Cairn found."""
