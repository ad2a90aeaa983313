# SPDX-License-Identifier: Apache-2.0
"""The clones of a machine: how many there should be, and what brings them there. Pure.

Up: a snapshot of the base's disk while there is no pool, then the pool, then a bounded burst at a time. Down: by
`scalein`, and the pool and its snapshot at the end. The base is no member of the pool and is never touched here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cairn.api import pods
from cairn.api.conditions import Condition, Reason
from cairn.api.resources import HPA, PODMETRICS, VMPOOL, VOLUMESNAPSHOT, VOLUMESNAPSHOTCLASS, Obj
from cairn.api.schedule import duration
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Action, Child, Observed, Want, Within
from cairn.vm import clones as reading
from cairn.vm import load as loads
from cairn.vm import machine
from cairn.vm.case import CLONE, Case, Part
from cairn.vm.clones import PEAK, Clones, takes_part
from cairn.vm.hpa import PROMOTION, hpa
from cairn.vm.moments import parse_moment, stamp
from cairn.vm.pool import Clone, init_name, pool, pool_name, snapshot
from cairn.vm.scalein import Steps, raised, steps
from cairn.vm.snapshots import class_missing, failure, is_ready

DRAIN = timedelta(seconds=60)
"""How long clones are drained where the spec has no autoscale."""
PREPARED = timedelta(hours=1)
"""A snapshot that no pool was made from is taken anew when it is older."""
SETTLED = timedelta(minutes=5)
"""A base that does not get ready is copied all the same when it runs for so long: load may be what keeps it."""


TAKEN_AT = "%Y%m%d%H%M%S"
"""How a snapshot's name ends. What counts is Cairn's own clock, which a demo has run faster than the server's."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What was read and decided: now, floor and ceiling, how many there should be, the note on low load."""

    case: Case
    live: Clones
    sources: tuple[Obj, ...]
    floor: int
    ceiling: int
    target: int
    low: loads.Low | None
    metrics: bool | None

    @property
    def drain(self) -> timedelta:
        autoscale = self.case.vm.spec.autoscale
        return duration(autoscale.drain) if autoscale else DRAIN


def wants(vm: SellerVM, seen: Observed) -> Iterable[Want]:
    if takes_part(vm) and VOLUMESNAPSHOT not in seen.missing:
        yield Within(VOLUMESNAPSHOTCLASS, "")


def peak(case: Case) -> Part:
    live, sources = reading.clones(case), reading.sources(case)
    if not (takes_part(case.vm) or live.pool or sources):
        return Part()
    scene = _scene(case, live, sources)
    if live.pool is None:
        part = _prepared(scene)
    elif pods.terminating(live.pool):
        part = Part()
    elif scene.target == 0 and live.replicas == 0 and not live.members and not live.leaving:
        part = Part(delete=(case.ref(VMPOOL, pool_name(case.name)),))
    else:
        part = _standing(scene)
    looks = case.now + loads.LOOK_EVERY if _by_load(case) and scene.ceiling > scene.floor else None
    return replace(
        part,
        status={"clones": _status(scene, part)},
        conditions=(*_ready(scene, part), *_autoscaling(scene)),
        next=min((moment for moment in (part.next, looks) if moment), default=None),
    )


def _scene(case: Case, live: Clones, sources: tuple[Obj, ...]) -> Scene:
    floor = case.capacity.floor if case.running else 0
    ceiling = max(case.capacity.ceiling, floor) if case.running else 0
    used = case.observed.facts.get("cores") if _by_load(case) else None
    base = [case.base.pod["metadata"]["name"]] if case.base.pod else []
    asked, noted = 0, None
    metrics = None
    if _by_load(case) and case.vm.spec.autoscale:
        wanted = loads.limit(case.size.cpu, case.vm.spec.autoscale.cpu)
        # Without the base nothing can be said: what it would take is on the clones meanwhile.
        alone = loads.total(used, base) if base else None
        together = loads.total(used, base + list(live.pods)) if base else None
        metrics = alone is not None or not base
        asked, noted = _by_metrics(case, live, sources, wanted, alone, together, floor, ceiling)
    target = max(floor, min(asked, ceiling))
    if case.frozen:
        target = max(target, live.replicas)
    return Scene(case, live, sources, floor, ceiling, target, noted, metrics)


def _by_metrics(
    case: Case,
    live: Clones,
    sources: tuple[Obj, ...],
    wanted: Decimal,
    alone: Decimal | None,
    together: Decimal | None,
    floor: int,
    ceiling: int,
) -> tuple[int, loads.Low | None]:
    """How many clones load asks for, and the note on low load."""
    if live.pool is None or live.replicas == 0:
        # what was begun is brought to its end, although the load may have fallen for a moment
        young = live.pool is None and any(_taken_ago(case, one) < loads.STABLE for one in sources)
        return int(loads.asks(alone, wanted) or young), None
    kept = min(live.replicas, ceiling)
    if kept <= floor:
        return kept, None
    enough = None if together is None else loads.needed(together, wanted)
    noted = loads.low(loads.read(live.pool), enough, kept, case.now)
    if noted and case.now - noted.since >= loads.STABLE:
        return noted.most, noted
    return kept, noted


def _prepared(scene: Scene) -> Part:
    """No pool stands: nothing, or the snapshot and then the pool."""
    case = scene.case
    if scene.target == 0:
        return Part(delete=tuple(case.ref(VOLUMESNAPSHOT, one["metadata"]["name"]) for one in scene.sources))
    usable = [one for one in scene.sources if not pods.terminating(one) and _taken_ago(case, one) < PREPARED]
    stale = tuple(case.ref(VOLUMESNAPSHOT, one["metadata"]["name"]) for one in scene.sources if one not in usable[:1])
    if not usable:
        if _problem(scene) or not _base_stands(case):
            return Part(delete=stale, next=_settles(case))
        return Part(delete=stale, actions=(_take(case),))
    if not is_ready(usable[0]):
        return Part(delete=stale)
    clone = _clone(case, usable[0]["metadata"]["name"])
    begun = raised(0, 0, scene.target)
    args = {"pool": pool(clone, begun), "init": _user_data(case)}
    return Part(delete=stale, actions=(Action("create-pool", args),))


def _standing(scene: Scene) -> Part:
    case, live = scene.case, scene.live
    clone = _clone(case, live.source or "")
    children = [Child(pool(clone))]
    if _by_load(case) and case.vm.spec.autoscale and scene.target > 0:
        wanted = loads.limit(case.wanted.cpu, case.vm.spec.autoscale.cpu)
        scaler = hpa(
            case.name,
            case.namespace,
            wanted=wanted,
            floor=scene.floor,
            ceiling=max(scene.ceiling, scene.target),
            replicas=live.replicas,
            ready=live.ready,
            promotion=case.capacity.reason,
        )
        children.append(Child(scaler))
    todo = steps(live.members, live.replicas, scene.target, scene.drain, case.now)
    stale = [one["metadata"]["name"] for one in scene.sources if one["metadata"]["name"] != live.source]
    return Part(
        children=tuple(children),
        actions=tuple(_actions(scene, todo)),
        next=todo.next,
        delete=tuple(case.ref(VOLUMESNAPSHOT, name) for name in stale),
    )


def _actions(scene: Scene, todo: Steps) -> Iterable[Action]:
    case, live = scene.case, scene.live
    noted = str(scene.low) if scene.low else None
    annotations = ((live.pool or {}).get("metadata") or {}).get("annotations") or {}
    if noted != annotations.get(loads.LOW_LOAD):
        yield Action("note-load", {"pool": pool_name(case.name), "note": noted})
    if todo.on:
        yield Action("give-traffic", {"pods": list(todo.on)})
    if todo.off:
        yield Action("take-traffic", {"pods": list(todo.off), "since": stamp(case.now)})
    if todo.replicas is not None:
        args = {"pool": pool_name(case.name), "before": live.replicas, "replicas": todo.replicas}
        yield Action("scale-clones", args)


def _take(case: Case) -> Action:
    taken = snapshot(
        f"{pool_name(case.name)}-{case.now.astimezone(UTC):{TAKEN_AT}}",
        case.namespace,
        of=case.name,
        claim=case.disk,
        by=PEAK,
        snapshot_class=case.platform.virtual_machines.snapshot_class,
    )
    return Action("take-snapshot", {"snapshot": taken})


def _clone(case: Case, source: str) -> Clone:
    made = replace(machine.blueprint(case.vm, case.wanted, case.wanted, pool_name(case.name)))
    return Clone(
        name=case.name,
        namespace=case.namespace,
        template=machine.template(case.name, made, role=CLONE),
        source=source,
        claim=case.base.claim or {},
        init=init_name(case.name) if case.vm.spec.cloud_init else None,
    )


def _user_data(case: Case) -> dict[str, str] | None:
    """From which Secret to which: the deed reads the first and writes the second."""
    init = case.vm.spec.cloud_init
    return {"of": init.secret_ref.name, "secret": init_name(case.name)} if init else None


def _base_stands(case: Case) -> bool:
    """Whether the base's disk is worth copying: it is whole and has been booted from."""
    instance = case.base.instance
    if case.base.claim is None or ((instance or {}).get("status") or {}).get("phase") != "Running":
        return False
    return pods.condition(instance, "Ready").get("status") == "True" or _age(case, instance) >= SETTLED


def _settles(case: Case) -> datetime | None:
    """When a base that is not ready yet is copied all the same: nothing else may happen until then."""
    started = parse_moment(((case.base.instance or {}).get("metadata") or {}).get("creationTimestamp"))
    at = started + SETTLED if started else None
    return at if at and at > case.now else None


def _taken_ago(case: Case, snapshot: Obj) -> timedelta:
    try:
        taken = datetime.strptime(snapshot["metadata"]["name"].rpartition("-")[2] + "Z", f"{TAKEN_AT}%z")
    except ValueError:
        return PREPARED  # somebody else's name: as one that is too old
    return case.now - taken


def _age(case: Case, obj: Obj | None) -> timedelta:
    created = parse_moment(((obj or {}).get("metadata") or {}).get("creationTimestamp"))
    return case.now - created if created else timedelta()


def _by_load(case: Case) -> bool:
    """Whether load has a say. Where metrics are served no more it keeps what it raised, which is where an autoscaler
    stands: without metrics none is made. It keeps it to the end of the promotion in which they were read last."""
    if case.vm.spec.autoscale is None or PODMETRICS not in case.observed.missing:
        return case.vm.spec.autoscale is not None
    scaler = case.child(HPA, pool_name(case.name))
    if scaler is None:
        return False
    return bool(case.capacity.reason) or PROMOTION not in (scaler["metadata"].get("annotations") or {})


def _status(scene: Scene, part: Part) -> dict[str, Any]:
    live = scene.live
    going = steps(live.members, live.replicas, scene.target, scene.drain, scene.case.now).draining
    source = live.source or next((str(one["metadata"]["name"]) for one in scene.sources), None)
    return {
        # the calendar's, also while the machine is stopped: what is held at them starts with the machine again
        "floor": scene.case.capacity.floor,
        "ceiling": max(scene.case.capacity.ceiling, scene.case.capacity.floor),
        "replicas": len(live.members),
        "ready": live.ready,
        **({"draining": f"{pool_name(scene.case.name)}-{going[0]}"} if going else {}),
        **({"source": source} if source and not part.delete else {}),
    }


def _problem(scene: Scene) -> tuple[Reason, str] | None:
    """Why there can be no clones."""
    observed = scene.case.observed
    if VOLUMESNAPSHOT in observed.missing:
        return Reason.SNAPSHOTS_MISSING, (
            "clones are made from a snapshot of the machine's disk, and this cluster has no volume snapshots: install"
            " the snapshot controller and its CRDs (snapshot.storage.k8s.io/v1). A copy without one would need the"
            " machine stopped"
        )
    if scene.live.pool is None and not scene.sources and (missing := class_missing(scene.case)):
        return Reason.SNAPSHOTS_MISSING, missing
    if failed := next((failure(one) for one in scene.sources if failure(one)), ""):
        return Reason.SNAPSHOTS_MISSING, failed
    return None


def _ready(scene: Scene, part: Part) -> tuple[Condition, ...]:
    live = scene.live
    if problem := _problem(scene):
        return (Condition("ClonesReady", False, *problem),)
    if scene.target == 0:
        return ()
    if live.pool is None:
        if not scene.sources and not part.actions:
            waits = "clones wait for the machine to run: they are made from its disk"
            return (Condition("ClonesReady", False, Reason.SOURCE_NOT_READY, waits),)
        return (Condition("ClonesReady", False, Reason.PROGRESSING, "a snapshot for clones is being taken"),)
    if live.ready < scene.target:
        how = f"{live.ready} of {scene.target} clones get traffic"
        failed = pods.condition(live.pool, "ReplicaFailure")
        if failed.get("status") == "True":
            how += f"; KubeVirt says: {failed.get('message', '')}"
        return (Condition("ClonesReady", False, Reason.PROGRESSING, how),)
    return (Condition("ClonesReady", True, Reason.READY, f"{scene.target} clones get traffic"),)


def _autoscaling(scene: Scene) -> tuple[Condition, ...]:
    if scene.case.vm.spec.autoscale is None:
        return ()
    if PODMETRICS in scene.case.observed.missing:
        message = (
            "this cluster serves no metrics.k8s.io: load raises no clones, promotions and clones.min do. Install"
            " metrics-server"
        )
        if scene.metrics is not None:
            message += ". What load raised stays until then"
        return (Condition("Autoscaling", False, Reason.METRICS_MISSING, message),)
    if "unread" in scene.case.observed.facts:
        message = (
            "metrics.k8s.io gives no answer: load raises no clones, and what it raised stays. Look at metrics-server"
        )
        return (Condition("Autoscaling", False, Reason.METRICS_MISSING, message),)
    if scene.metrics is False:
        return (Condition("Autoscaling", None, Reason.WAITING, "no metrics of the machine's pod yet"),)
    return (Condition("Autoscaling", True, Reason.READY, ""),)
