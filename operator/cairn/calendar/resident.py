# SPDX-License-Identifier: Apache-2.0
"""Resources as far as their size goes, read from what was observed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TypeVar

from pydantic import BaseModel

from cairn.api.lookup import parsed
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import PUSHSUBSCRIPTION, SELLERRDS, SELLERVM, Obj
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.calendar.demand import Member, Stands, member, stands
from cairn.calendar.participant import Participant, TakesPart

M = TypeVar("M", bound=BaseModel)
Resident = tuple[Member, Stands]
KINDS: Mapping[str, type[TakesPart]] = {
    "SellerVM": SellerVM,
    "SellerRDS": SellerRDS,
    "PushSubscription": PushSubscription,
}
MEMBERS = (SELLERVM, SELLERRDS, PUSHSUBSCRIPTION)
"""What a seller's resources are: they take part in promotions, and hold their Seller."""


def residents(found: Iterable[Obj]) -> Iterator[Resident]:
    """One that can't be read or is being deleted asks for nothing."""
    for obj in found:
        meta = obj["metadata"]
        if "deletionTimestamp" in meta:
            continue
        version = meta.get("resourceVersion")
        cell = _cell(meta["uid"], version) if version else []
        if not cell:
            model = parsed(KINDS[obj["kind"]], obj)
            cell.append(None if isinstance(model, tuple) else _same(member(model), stands(model)))
        if cell[0] is not None:
            yield cell[0]


@lru_cache(maxsize=8192)
def _cell(uid: str, version: str) -> list[Resident | None]:
    """What was read of an object at a version: of hundreds that are looked at on every event, one has changed."""
    return []


@lru_cache(maxsize=8192)
def _same(one: Member, there: Stands) -> Resident:
    """Those that are alike are one object, so that they are counted without being compared."""
    return one, there


def read(model: type[M], obj: Obj | None) -> M | None:
    """What it says; None where it isn't there or can't be read, which is as good."""
    found = parsed(model, obj) if obj else None
    return None if isinstance(found, tuple) else found


def promotion_names(who: Iterable[Participant]) -> set[str]:
    return {entry.name for one in who for entry in one.promotions}


def plan_names(who: Iterable[Participant]) -> set[str]:
    found = {name for one in who for name in (one.base_plan, *(held.plan for held in one.held))}
    found |= {entry.plan_ref.name for one in who for entry in one.promotions if entry.plan_ref}
    return {name for name in found if name}
