# SPDX-License-Identifier: Apache-2.0
"""A worker in the platform's pool instead of a pod of its own, and the way from the one to the other. Pure.

One of the two has gone before the other comes: a move costs seconds, in which records wait on the bus.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cairn.api.conditions import Condition, Reason, progressing
from cairn.api.guards import HOSTNAME, POSTGRESQL_PORT, database_pods, tcp
from cairn.api.quantity import parse
from cairn.api.resize import Limits
from cairn.api.resources import LEASE, SECRET, Obj, Ref
from cairn.api.secrets import raw
from cairn.engine.kind import Action, Observed
from cairn.pool import leases
from cairn.pool.assign import Claim
from cairn.pool.pace import Limit
from cairn.push import names, objects

POOL_LABELS = {"app.kubernetes.io/name": "cairn", "app.kubernetes.io/component": "pool"}
"""Of the pool's pods."""
SOON = timedelta(seconds=5)
"""When to look at a move again: no event tells of the pool's Leases."""
LENT = ("username", "password", "user.creds", "ca.crt", "source.key", "source-ca.crt")
"""What of the subscription's Secret its worker needs."""
BASELINE, FACTOR = 96 * 1024 * 1024, 4
"""What a worker needs whatever it does, and for each byte of messages that it holds."""
BUDGET = (4 * 1024 * 1024, 32 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class Place:
    """What stands in the pool. free: no member holds it; settings: worker.json; whole: the Secret has what it needs"""

    slot: leases.Slot
    free: bool
    settings: Mapping[str, Any]
    whole: bool


def refs(namespace: str, consumer: str) -> tuple[Ref, Ref]:
    """Its Lease and its Secret."""
    return Ref(LEASE, namespace, consumer), Ref(SECRET, namespace, consumer)


def place(observed: Observed, namespace: str, consumer: str, now: datetime) -> Place | None:
    lease, secret = (observed.refs.get(ref) for ref in refs(namespace, consumer))
    if lease is None:
        return None
    return Place(leases.slot(lease), leases.free(lease, now), _settings(secret), bool(raw(secret, "password")))


def _settings(secret: Obj | None) -> Mapping[str, Any]:
    try:
        found = json.loads(raw(secret, objects.CONFIG_FILE) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def budget(size: Limits | None) -> int:
    """Bytes of messages that a worker of this size may hold."""
    if size is None:
        return BUDGET[1]
    return max(BUDGET[0], min(BUDGET[1], (int(parse(size[1])) - BASELINE) // FACTOR))


def claim(size: Limits) -> Claim:
    return Claim(int(parse(size[0]) * 1000), int(parse(size[1])))


def network_policy(worker: objects.Worker, namespace: str) -> Obj | None:
    """The pool's pods may connect to the database; an external one is let be by the pool's own policy."""
    if worker.external is not None:
        return None
    pods = {"namespaceSelector": {"matchLabels": {HOSTNAME: namespace}}, "podSelector": {"matchLabels": POOL_LABELS}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": objects.meta(worker),
        "spec": {
            **database_pods(worker.database),
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [pods], "ports": tcp(POSTGRESQL_PORT)}],
        },
    }


def wanted(worker: objects.Worker, size: Limits, consumer: str, stands: Place | None) -> tuple[Action, ...]:
    """The deed after which the pool has what it should, if it has not."""
    text = objects.settings_text(worker.settings)
    config = objects.digest(f"{text}{worker.secret_digest}")
    run = worker.replicas > 0
    slot = stands.slot if stands else None
    if slot and stands and stands.whole and (slot.wanted, slot.config, slot.claim) == (run, config, claim(size)):
        return ()
    notes = leases.wishes(config, claim(size), wanted=run)
    return (Action("lend", {"name": consumer, "secret": worker.object_name, "settings": text, "notes": notes}),)


def larger(stands: Place, size: Limits) -> tuple[Action, ...]:
    """Inside a freeze: a promotion reserves more at once, and nothing else is touched."""
    slot, asked = stands.slot, claim(size)
    more = Claim(max(slot.claim.millicores, asked.millicores), max(slot.claim.memory, asked.memory))
    if more == slot.claim:
        return ()
    notes = leases.wishes(slot.config, more, wanted=slot.wanted)
    return (Action("reserve", {"name": slot.name, "notes": notes}),)


def leave(stands: Place | None) -> tuple[Action, ...]:
    """Out of the pool: its worker ends, then nothing of it stays there."""
    if stands is None:
        return ()
    if stands.slot.wanted:
        return (Action("halt", {"name": stands.slot.name}),)
    return (Action("withdraw", {"name": stands.slot.name}),) if stands.free else ()


def pooled(shared: bool, own: bool, pool: bool, *, frozen: bool) -> tuple[bool, tuple[str, ...]]:  # noqa: FBT001
    """Whether the worker is in the pool or on its way there, and what waits. shared: by its plan; own, pool: where it
    is. A freeze leaves it where it is."""
    if not frozen or own == pool or shared == pool:
        return shared, ()
    return pool, (f"the worker is to move {'into' if shared else 'out of'} the pool",)


def waits(actions: tuple[Action, ...], stands: Place) -> tuple[str, ...]:
    """What a freeze holds up of these."""
    notes = [one.args["notes"] for one in actions]
    found = []
    if any(note[leases.CONFIG] != stands.slot.config for note in notes):
        found.append("the worker is to be started anew with other settings")
    if any(note[leases.WANTED] == "false" for note in notes) and stands.slot.wanted:
        found.append("the worker is to stop")
    return tuple(found)


def keeps(stands: Place, own: Iterable[str]) -> bool:
    """Whether what stands may go on through a freeze: it writes no shop that is not the seller's."""
    shops = stands.settings.get("shops")
    return isinstance(shops, dict) and bool(shops) and set(shops) <= set(own)


def reads(stands: Place, seller_id: str) -> list[str]:
    """The subjects that its worker was told of."""
    datasets = (str(one.get("name")) for one in stands.settings.get("datasets") or ())
    return names.subjects(seller_id, stands.settings.get("shops") or {}, datasets)


def trouble(stands: Place | None, room: Claim) -> tuple[Condition, ...]:
    """room: of one member of the pool"""
    if stands is None:
        return progressing(Reason.PROGRESSING, "the worker is being made in the pool")
    if stands.free and not stands.slot.claim.fits(room):
        message = (
            f"the worker reserves {_said(stands.slot.claim)}, and a member of the pool has {_said(room)}; records"
            " wait on the bus. Take a smaller plan, or raise push.pool.cpu and .memory in the chart's values"
        )
        return progressing(Reason.WAITING, message)
    if stands.free:
        message = (
            "no member of the pool has room for the worker, or one takes it within seconds; records wait on the bus."
            " If it stays: raise push.pool.max in the chart's values"
        )
        return progressing(Reason.WAITING, message)
    if not stands.slot.ready:
        return progressing(Reason.PROGRESSING, f"the worker is being started by {stands.slot.holder}")
    return ()


def slowed(stands: Place | None) -> tuple[Condition, ...]:
    """What keeps it late, where that is known."""
    if stands is None or stands.free or stands.slot.limit not in _LIMITS:
        return ()
    reason, what = _LIMITS[Limit(stands.slot.limit)]
    return (Condition("Behind", True, reason, f"what waits takes more than two minutes to write: {what}"),)


_LIMITS = {
    Limit.DATABASE: (Reason.DATABASE_BOUND, "the database sets the pace. More members of the pool would not help"),
    Limit.WORKER: (Reason.WORKER_BOUND, "the worker takes all it can get. More members of the pool would not help"),
    Limit.NEIGHBOURS: (Reason.POOL_BOUND, "others take its member's processors. The pool grows, up to push.pool.max"),
}


def _said(claim: Claim) -> str:
    return f"cpu {claim.millicores}m and memory {claim.memory // 2**20}Mi"


def status(stands: Place | None) -> Obj:
    """status.worker."""
    if stands is None or stands.free:
        return {}
    found = {"ready": stands.slot.ready, "restarts": stands.slot.restarts, "member": stands.slot.holder}
    return {"worker": found}
