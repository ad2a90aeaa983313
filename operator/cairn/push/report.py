# SPDX-License-Identifier: Apache-2.0
"""What a subscription says about itself: conditions and status, from the real worker, bus and database. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, not_ready, progressing, ready
from cairn.api.database import Database
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resize import Limits, Resize, Step, limits
from cairn.api.resources import DEPLOYMENT, POD, Obj
from cairn.calendar.asked import Asked, next_status, plan_status
from cairn.calendar.cost import Charge
from cairn.calendar.freeze import deferred
from cairn.engine.kind import Observed
from cairn.push import objects, proof
from cairn.push.facts import Facts


def conditions(
    push: PushSubscription,
    database: Database,
    observed: Observed,
    facts: Facts,
    trouble: tuple[Condition, ...],
    *,
    working: bool,
) -> tuple[Condition, ...]:
    """trouble: what the worker lacks; working: tables, login or consumer are still to be made"""
    extra = []
    # while the database can't be asked, what was there last is not gone
    if count := facts.database.get("quarantined") if facts.database else push.status.quarantined:
        message = f"{count} records could not be written: see sys_info.jdp_quarantine for the reasons"
        extra.append(Condition("Quarantined", True, Reason.QUARANTINED, message))
    if facts.unsafe:
        message = f"the bus is not as it must be: {'; '.join(facts.unsafe)}"
        extra.append(Condition("BusUnsafe", True, Reason.BUS_UNSAFE, message))
    if facts.bus.get("full"):
        message = (
            "records of this seller that wait take its share of the bus, and the gateway answers 503 for all of its "
            "shops until less waits: mend what holds up the subscription with the largest status.lag"
        )
        extra.append(Condition("BacklogFull", True, Reason.BACKLOG_FULL, message))
    if weak := facts.database.get("weak"):
        message = f"{', '.join(weak)}: a commit that was answered can be lost"
        extra.append(Condition("DurabilityWeak", True, Reason.DURABILITY_WEAK, message))
    return (*_state(push, database, facts, trouble, working=working), *extra)


def _state(
    push: PushSubscription, database: Database, facts: Facts, trouble: tuple[Condition, ...], *, working: bool
) -> tuple[Condition, ...]:
    if database.stopped:
        return ready(f"SellerRDS {database.rds.metadata.name} is stopped: records wait on the bus", Reason.STOPPED)
    if facts.drift:
        return not_ready(Reason.SCHEMA_DRIFT, "; ".join(facts.drift))
    if not database.ready:
        message = f"SellerRDS {database.rds.metadata.name} is not ready; records wait on the bus"
        return not_ready(Reason.DATABASE_NOT_READY, message)
    for error in (facts.database_error, facts.bus_error):
        if error:
            return not_ready(*error)
    if facts.login and not facts.login.get("ours"):
        return not_ready(Reason.CONFLICT, "the worker's login exists in the database and was not made by Cairn")
    if working or not facts.bus or not facts.database:
        return progressing(Reason.PROGRESSING, "tables, login and consumer are being made")
    if push.spec.paused:
        return ready("paused: records wait on the bus", Reason.PAUSED)
    return trouble or ready()


def calendar(change: Resize | None, waits: Sequence[str], asked: Asked) -> tuple[Condition, ...]:
    """On the way to another size, or why not; what a freeze holds up; what is wrong with promotions."""
    found = []
    if change is not None:
        cpu, memory = change.ask if change.step is Step.PATCH else (change.cpu, change.memory)
        message = f"the worker is resized to cpu {cpu}, memory {memory}: {change.message or 'asked for'}"
        found.append(Condition("PodResized", False, Reason.PROGRESSING, message))
    if waits:
        found.append(deferred(Reason.FROZEN, "; ".join(waits), asked.frozen))
    return (*found, *asked.conditions)


def newest(observed: Observed) -> Obj | None:
    """The worker's pod; while one makes room for the next, the next."""
    live = [pod for pod in pods_of(observed) if not pods.terminating(pod)]
    return live[-1] if live else None


def worker_trouble(push: PushSubscription, observed: Observed) -> tuple[Condition, ...]:
    """Of one with a pod of its own."""
    name, namespace = push.metadata.name, push.metadata.namespace
    deployment = observed.child(DEPLOYMENT, objects.object_name(name), namespace)
    live = pods_of(observed)
    if any(pods.is_ready(pod) for pod in live) and not _outdated(deployment):
        return ()
    failure = pods.condition(deployment, "ReplicaFailure")
    if not live and failure.get("status") == "True":
        message = str(failure.get("message") or "no pod can be made")
        reason = Reason.QUOTA_EXCEEDED if "exceeded quota" in message else Reason.PROGRESSING
        return not_ready(reason, message)
    if not live:
        return progressing(Reason.PROGRESSING, "the worker is being made")
    return pods.trouble(live[-1], None, None, {}) or progressing(Reason.PROGRESSING, "the worker is being renewed")


def _outdated(deployment: Obj | None) -> bool:
    """Whether the Deployment's controller has not seen to its last change yet."""
    live = deployment or {}
    status = live.get("status") or {}
    seen = int(status.get("observedGeneration") or 0) >= int((live.get("metadata") or {}).get("generation") or 0)
    return not seen or int(status.get("updatedReplicas") or 0) < int((live.get("spec") or {}).get("replicas") or 0)


def pods_of(observed: Observed) -> list[Obj]:
    """The worker's pods, oldest first."""
    found = [obj for ref, obj in observed.children.items() if ref.resource == POD]
    return sorted(found, key=lambda pod: (str(pod["metadata"].get("creationTimestamp")), pod["metadata"]["name"]))


def status(push: PushSubscription, consumer: str, observed: Observed, facts: Facts) -> Obj:
    found = kept(push, observed)
    for key in ("plan", "next", "cost"):
        found.pop(key, None)
    found["consumer"] = consumer
    if "consumer" in facts.bus:
        seen = facts.bus["consumer"] or {}
        lag = {key: int(seen.get(key) or 0) for key in ("pending", "unacknowledged")}
        found["lag"] = lag
    if facts.database:
        found["quarantined"] = int(facts.database.get("quarantined") or 0)
        found["tables"] = sorted(facts.database.get("tables") or ())
        found |= proof.status(facts)
    return found


def sold(
    push: PushSubscription,
    observed: Observed,
    asked: Asked,
    size: Limits | None,
    charge: Charge,
    reserved: Limits | None,
) -> Obj:
    """How big it is, will be, and what that costs. size: of the plan in force; reserved: in the platform's pool"""
    running = reserved or limits(pods.container_status(newest(observed)))
    before = push.status.plan.current if push.status.plan else None
    current = asked.capacity.plan if running and running == size else before
    plan = plan_status(asked, asked.who.base_plan, current)
    found = {"plan": plan, "next": next_status(asked), "cost": charge.status}
    return {key: value for key, value in found.items() if value}


def kept(push: PushSubscription, observed: Observed) -> Obj:
    """What was said before and can't be seen at the moment stays said; the worker is always as it is now."""
    unsaid = {"conditions", "observed_generation", "worker"}
    found: Obj = push.status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=unsaid)
    live = pods_of(observed)
    if live:
        restarts = sum(int(pods.container_status(pod).get("restartCount") or 0) for pod in live)
        found["worker"] = {"ready": any(pods.is_ready(pod) for pod in live), "restarts": restarts}
    return found
