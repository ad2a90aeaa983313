# SPDX-License-Identifier: Apache-2.0
"""How long a subscription's records are kept. Nothing is deleted that was not confirmed by its number of days. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from cairn.api.conditions import Condition, Reason
from cairn.api.dataset import Dataset
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import Obj
from cairn.push.facts import Facts

CONFIRM = "cairn.dev/confirm-retention"
KIND = "RetentionInForce"


def in_force(push: PushSubscription) -> int:
    """Days; 0 is for ever. What deletes more than before stays as it was until it is confirmed."""
    asked, before = push.spec.retention.days, before_now(push)
    deletes_more = asked > 0 and (before == 0 or asked < before)
    confirmed = push.metadata.annotations.get(CONFIRM) == str(asked)
    return before if deletes_more and not confirmed else asked


def before_now(push: PushSubscription) -> int:
    return push.status.retention.days if push.status.retention else 0


def expiring(push: PushSubscription, datasets: Iterable[Dataset]) -> list[str]:
    """Tables out of which rows are deleted."""
    return [dataset.table for dataset in datasets if dataset.expires] if in_force(push) else []


def status(push: PushSubscription, facts: Facts) -> Obj:
    """status.retention; nothing where nothing was ever kept for less than ever."""
    days, found = in_force(push), (facts.database.get("proof") or {}).get("retention")
    if found is None and push.status.retention is not None:
        said = push.status.retention.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {"retention": said | {"days": days}}
    return {"retention": {"days": days} | (found or {})} if days or found else {}


def conditions(push: PushSubscription, datasets: Iterable[Dataset]) -> tuple[Condition, ...]:
    asked, days = push.spec.retention.days, in_force(push)
    names = ", ".join(dataset.name for dataset in datasets if dataset.expires)
    if asked != days:
        meta, kept = push.metadata, f"{days} days" if days else "for ever"
        message = (
            f"spec.retention.days: {asked} would delete records of {names or 'no dataset'} for good that were last"
            f" changed more than {asked} days ago; they are kept {kept} until it is confirmed: kubectl annotate"
            f" pushsubscription {meta.name} -n {meta.namespace} --overwrite {CONFIRM}={asked}"
        )
        return (Condition(KIND, False, Reason.RETENTION_UNCONFIRMED, message),)
    if not days:
        return ()
    message = f"records of {names or 'no dataset'} that were last changed more than {days} days ago are deleted"
    return (Condition(KIND, True, Reason.RETENTION_SET, message),)
