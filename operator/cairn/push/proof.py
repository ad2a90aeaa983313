# SPDX-License-Identifier: Apache-2.0
"""What a subscription says of the platform's records against its own, and of its history. Pure."""

from __future__ import annotations

from cairn.api.conditions import Condition, Reason
from cairn.api.platform import Source
from cairn.api.pushsubscription import Compared, PushSubscription, PushSubscriptionStatus
from cairn.api.resources import Obj
from cairn.push.facts import Facts

AUDIT, HISTORY = "AuditClean", "HistoryComplete"


def status(facts: Facts) -> Obj:
    """status.proof and status.history, as far as the book was read."""
    found = facts.database.get("proof") or {}
    return {key: found[key] for key in ("proof", "history") if found.get(key)}


def conditions(push: PushSubscription, facts: Facts, source: Source | None) -> tuple[Condition, ...]:
    """source: where the platform answers for its records, None where it does not"""
    if source is None:
        return _without(push)
    if facts.bus and not facts.source_mark:
        message = f"Secret {source.key_secret} in Cairn's namespace has no source.key: nothing can be asked for"
        return (Condition(AUDIT, False, Reason.SECRET_NOT_FOUND, message),)
    said = push.status if not facts.database else PushSubscriptionStatus.model_validate(status(facts))
    found = []
    if said.proof is not None:
        found.append(_audit(said.proof.total, said.proof.through or "", repair=push.spec.audit.repair))
    if push.spec.history.days:
        complete = said.history is not None and said.history.complete
        records = said.history.records if said.history else 0
        reason = Reason.SUCCEEDED if complete else Reason.HISTORY_PENDING
        message = f"{records} records of the last {push.spec.history.days} days were brought in"
        found.append(Condition(HISTORY, complete, reason, message))
    return tuple(found)


def _without(push: PushSubscription) -> tuple[Condition, ...]:
    if not push.spec.history.days:
        return ()
    message = (
        "spec.history.days: the platform names nobody who answers for its records, so none can be asked for: set"
        " push.source in the values of Cairn's chart, or days to 0"
    )
    return (Condition(HISTORY, False, Reason.SOURCE_NOT_SET, message),)


def _audit(total: Compared, through: str, *, repair: bool) -> Condition:
    bad = {"missing": total.missing, "stale": total.stale, "wrong": total.wrong}
    if not any(bad.values()):
        message = f"what the platform sent stands: {total.sent} records, through {through}"
        return Condition(AUDIT, True, Reason.VERIFIED, message)
    counts = ", ".join(f"{count} {what}" for what, count in bad.items() if count)
    how = "they are brought in again within minutes" if repair else "spec.audit.repair is false: nothing is mended"
    return Condition(AUDIT, False, Reason.DIFFERENT, f"{counts} of {total.sent} records: {how}; see status.proof.hours")
