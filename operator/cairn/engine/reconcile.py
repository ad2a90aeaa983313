# SPDX-License-Identifier: Apache-2.0
"""One pass over one object, the same for every kind: observe, plan, apply, prune, act, say.

It reads as its table of contents. Nothing is remembered from pass to pass that the cluster can't tell again; the two
caches here only spare requests.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from cairn.api.conditions import Condition, Reason, not_ready, stalled
from cairn.api.resources import Obj, Ref, Resource, ref_of
from cairn.engine import render
from cairn.engine.clock import Clock
from cairn.engine.cluster import Cluster
from cairn.engine.errors import ConflictError, NotFoundError, RefusedError, UnavailableError
from cairn.engine.events import Recorder
from cairn.engine.gather import Sources, is_own, observe
from cairn.engine.io import OwnerIo
from cairn.engine.kind import Action, ActionError, Child, Kind, Observed, Plan, Want
from cairn.engine.metrics import ACTIONS, CONFLICTS, TRANSITIONS, WRITES
from cairn.engine.status import status_of, suspended_status, transitions
from cairn.engine.store import Store

FINALIZER = "cairn.dev/teardown"
FINALIZER_MANAGER = "cairn-finalizer"
PROBE_SECONDS = 10.0
NOTHING_YET = "1"
"""As the resourceVersion of an object that is applied: it is made, and the server refuses it where one stands already.
No object ever has this one."""
UNSAID_PASSES = 3
"""So many passes in a row that change something, and are followed by another at once, write no status."""


@dataclass(frozen=True, slots=True)
class Result:
    """again: something was changed that the next pass must look at; after_seconds: the plan's own appointment"""

    again: bool = False
    after_seconds: float | None = None
    failed: str = ""
    gone: bool = False


class StandsInTheWayError(Exception):
    """An object of somebody else's has the name that a child needs."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(
            f"{ref} exists and was not made for this object: it is left alone. Rename it, or choose another name"
        )
        self.ref = ref


class Reconciler:
    """Brings single objects to what their kind plans. Holds no state but caches."""

    def __init__(
        self,
        kinds: Mapping[Resource, Kind],
        cluster: Cluster,
        store: Store,
        watched: frozenset[Resource],
        clock: Clock,
        missing: Callable[[], frozenset[Resource]] = frozenset,
    ) -> None:
        self.kinds = kinds
        self.cluster = cluster
        self.store = store
        self.watched = watched
        self.missing = missing
        self.clock = clock
        self.recorder = Recorder(cluster)
        self.wanted_by: dict[Want, set[Ref]] = defaultdict(set)
        self.untold: dict[Ref, str] = {}
        """What was written here, by resourceVersion, until the watch tells of it: who wants it hears of it then."""
        self._settled: dict[Ref, tuple[str, str]] = {}
        self._unsaid: dict[Ref, int] = {}

    async def reconcile(self, key: Ref) -> Result:
        """One pass. Raises ApiError and NotLeaderError; everything a user can mend ends in a condition."""
        kind = self.kinds[key.resource]
        obj = await self._read(key)
        if obj is None:
            self._forget(key)
            return Result(gone=True)
        deleting = "deletionTimestamp" in obj["metadata"]
        if deleting and FINALIZER not in obj["metadata"].get("finalizers", ()):
            return Result()
        if (complaint := _complaint(kind, obj)) and not deleting:
            said = await self._say(obj, _said(obj), stalled(Reason.INVALID_SPEC, complaint))
            return Result(again=not said)
        if obj["spec"].get("suspend") and not deleting and not getattr(kind, "plans_suspended", False):
            return Result(again=not await self._suspend(obj))
        if kind.finalizer and not deleting:
            obj = await self._hold_on(obj)
        observed = await self._observe(kind, obj)
        plan = kind.plan(obj, observed, self.clock.now())
        return await self._carry_out(kind, obj, observed, plan, deleting=deleting)

    async def _read(self, key: Ref) -> Obj | None:
        """As the watch told it last: a status that is written by what is outdated is refused. Live where it goes, since
        what is then done can't be taken back, and where the watch has told nothing."""
        obj = self.store.get(key)
        if obj is None or "deletionTimestamp" in obj["metadata"]:
            return await self.cluster.get(key)
        return obj

    async def _carry_out(self, kind: Kind, obj: Obj, observed: Observed, plan: Plan, *, deleting: bool) -> Result:
        failed: tuple[Reason, str] | None = None
        try:
            acted = await self._act(kind, obj, observed, [one for one in plan.actions if one.first])
        except ActionError as error:  # it holds up no child: one that waits for another would wait for ever
            failed = error.reason, error.message
        try:
            applied = await self._apply(obj, observed, plan)
            pruned = await self._prune(obj, observed, plan)
            if failed is None:
                acted |= await self._act(kind, obj, observed, [one for one in plan.actions if not one.first])
        except StandsInTheWayError as error:
            CONFLICTS.labels(error.ref.resource.kind).inc()
            failed = Reason.CONFLICT, str(error)
        except RefusedError as error:
            failed = Reason.QUOTA_EXCEEDED if "exceeded quota" in error.message else Reason.API_ERROR, error.message
        except ActionError as error:
            failed = error.reason, error.message
        if failed is not None:
            await self._say(obj, plan.status, (*not_ready(*failed), *_aside(plan.conditions)))
            return Result(failed=failed[1])
        again = applied or pruned or acted
        if again and not deleting and self._may_wait(ref_of(obj)):
            return Result(again=True)
        said = await self._say(obj, plan.status, plan.conditions)
        if deleting and plan.released:
            await self._let_go(obj)
        after = None if plan.next is None else self.clock.seconds_until(plan.next)
        return Result(again=again or not said, after_seconds=after)

    def _may_wait(self, key: Ref) -> bool:
        """Whether a status may be left to the pass that follows at once: a few times in a row, then it is told."""
        self._unsaid[key] = self._unsaid.get(key, 0) + 1
        return self._unsaid[key] <= UNSAID_PASSES

    async def _observe(self, kind: Kind, obj: Obj) -> Observed:
        key = ref_of(obj)
        sources = Sources(self.store, self.cluster, self.kinds, self.watched, self.missing())
        observed = await observe(kind, obj, sources, lambda want: self.wanted_by[want].add(key))
        async with asyncio.timeout(PROBE_SECONDS):
            facts = await kind.probe(obj, observed, self._io(obj))
        return replace(observed, facts=facts)

    async def _apply(self, owner: Obj, observed: Observed, plan: Plan) -> bool:
        changed = False
        for child in plan.children:
            changed |= await self._apply_one(owner, observed, child)
        return changed

    async def _apply_one(self, owner: Obj, observed: Observed, child: Child) -> bool:
        desired = render.finish(child, owner)
        ref = ref_of(desired)
        live = observed.children.get(ref)
        if live is None:
            desired["metadata"]["resourceVersion"] = NOTHING_YET
        else:
            if not is_own(live, owner, adopt=child.adopt):
                raise StandsInTheWayError(ref)
            if self._stands(ref, desired, live):
                return False
            desired["metadata"]["uid"] = live["metadata"]["uid"]
        try:
            answer = await self.cluster.apply(desired)
        except ConflictError as error:
            await self._judge(ref, owner, child)
            raise StandsInTheWayError(ref) from error
        WRITES.labels(ref.resource.kind, "apply").inc()
        self._settled[ref] = (render.applied(desired), answer["metadata"]["resourceVersion"])
        self._keep(answer)
        return live is None or live["metadata"]["resourceVersion"] != answer["metadata"]["resourceVersion"]

    async def _judge(self, ref: Ref, owner: Obj, child: Child) -> None:
        """UnavailableError where a child of ours only went or came between the look and the write."""
        live = await self.cluster.get(ref)
        if live is None:
            self.store.drop(ref)
        elif is_own(live, owner, adopt=child.adopt):
            self._keep(live)
        if live is None or is_own(live, owner, adopt=child.adopt):
            raise UnavailableError(409, f"{ref} changed meanwhile; looking again")

    def _stands(self, ref: Ref, desired: Obj, live: Obj) -> bool:
        digest = render.applied(desired)
        if digest != render.applied(live):
            return False
        # the server may spell a value its own way: what it answered to this very rendering stands
        settled = self._settled.get(ref) == (digest, live["metadata"]["resourceVersion"])
        return settled or render.holds(desired, live)

    async def _prune(self, owner: Obj, observed: Observed, plan: Plan) -> bool:
        if plan.delete and not await self._is_current(owner):
            return True
        planned = {ref_of(child.obj) for child in plan.children}
        unplanned = [ref for ref, seen in observed.children.items() if ref not in planned and _prunable(seen)]
        changed = False
        for ref in (*([] if plan.hold else unplanned), *plan.delete):
            explicit = ref in plan.delete
            live = await self.cluster.get(ref)  # what was seen may be stale, and a deletion can't be taken back
            if live is None or "deletionTimestamp" in live["metadata"]:
                continue
            if is_own(live, owner, adopt=explicit) and (explicit or _prunable(live)):
                if render.retained(live):
                    # the chart's admission policy lets nobody delete data unless it says so itself, Cairn neither
                    meta = {"uid": live["metadata"]["uid"], "annotations": {render.CONFIRM: ref.name}}
                    await self.cluster.patch(ref, {"metadata": meta})
                await self.cluster.delete(ref, uid=live["metadata"]["uid"])
                WRITES.labels(ref.resource.kind, "delete").inc()
                changed = True
        return changed

    async def _act(self, kind: Kind, obj: Obj, observed: Observed, actions: list[Action]) -> bool:
        for action in actions:
            result = "error"
            try:
                async with asyncio.timeout(action.deadline_seconds):
                    await kind.act(action, obj, observed, self._io(obj))
                result = "ok"
            except TimeoutError as error:
                message = f"{action.name} did not end within {action.deadline_seconds:g} s; it is tried again"
                raise ActionError(Reason.ACTION_FAILED, message) from error
            finally:
                ACTIONS.labels(obj["kind"], action.name, result).inc()
        return bool(actions)

    async def _say(self, obj: Obj, fields: Mapping[str, Any], conditions: tuple[Condition, ...]) -> bool:
        return await self._write_status(obj, status_of(obj, fields, conditions, self.clock.now()))

    async def _suspend(self, obj: Obj) -> bool:
        condition = Condition("Suspended", True, Reason.SUSPENDED, "spec.suspend is true: Cairn keeps its hands off")
        return await self._write_status(obj, suspended_status(obj, condition, self.clock.now()))

    async def say_failure(self, key: Ref, message: str) -> None:
        """Tell on the object what keeps its passes from ending: only a log would see it otherwise."""
        obj = await self.cluster.get(key)
        if obj is not None:
            await self._say(obj, _said(obj), not_ready(Reason.API_ERROR, message))

    async def _write_status(self, obj: Obj, status: dict[str, Any]) -> bool:
        """False where the object is another one by now, or changed: what was found is not written on it."""
        self._unsaid.pop(ref_of(obj), None)
        if status == obj.get("status"):
            return True
        meta = obj["metadata"]
        # Not by uid alone: the server does not compare uids in a status.
        name = {k: meta[k] for k in ("name", "namespace", "resourceVersion") if k in meta}
        body = {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": name, "status": status}
        try:
            answer = await self.cluster.apply_status(body)
        except (ConflictError, NotFoundError):
            await self._look_again(ref_of(obj))
            return False
        self._keep(answer)
        WRITES.labels(obj["kind"], "status").inc()
        for condition in transitions(obj, status):
            TRANSITIONS.labels(obj["kind"], condition["type"], condition["reason"]).inc()
            await self.recorder.record(obj, condition, self.clock.now())
        return True

    async def _is_current(self, obj: Obj) -> bool:
        """Whether its user has changed nothing since: what gives up data is looked at once more."""
        live = await self.cluster.get(ref_of(obj))
        if live is not None and live["metadata"]["resourceVersion"] == obj["metadata"]["resourceVersion"]:
            return True
        await self._look_again(ref_of(obj))
        return False

    async def _look_again(self, key: Ref) -> None:
        live = await self.cluster.get(key)
        if live is None:
            self.store.drop(key)
        else:
            self._keep(live)

    def _keep(self, answer: Obj) -> None:
        """What the server answered is what the next pass sees, whether or not the watch has told it by then."""
        ref = ref_of(answer)
        if ref.resource in self.watched and self.store.put(answer, time.monotonic()):
            self.untold[ref] = answer["metadata"]["resourceVersion"]

    async def _hold_on(self, obj: Obj) -> Obj:
        if FINALIZER in obj["metadata"].get("finalizers", ()):
            return obj
        held = await self.cluster.apply(_finalizers(obj, [FINALIZER]), manager=FINALIZER_MANAGER)
        self._keep(held)
        return held

    async def _let_go(self, obj: Obj) -> None:
        await self.cluster.apply(_finalizers(obj, []), manager=FINALIZER_MANAGER)

    def forget_settled(self) -> None:
        """Drop what was noted of watched objects that are gone."""
        for ref in [ref for ref in self._settled if ref.resource in self.watched and self.store.get(ref) is None]:
            del self._settled[ref]
        self.untold = {ref: version for ref, version in self.untold.items() if self.store.get(ref) is not None}

    def _forget(self, key: Ref) -> None:
        self.store.drop(key)
        self._unsaid.pop(key, None)
        self.untold.pop(key, None)
        for waiting in self.wanted_by.values():
            waiting.discard(key)

    def _io(self, owner: Obj) -> OwnerIo:
        return OwnerIo(self.cluster, owner, self._seen)

    def _seen(self, ref: Ref, answer: Obj) -> None:
        """As the watch would tell of it a moment later."""
        if render.owner_of(answer) is not None:
            self._keep(answer)


def _prunable(live: Obj) -> bool:
    """Applied by the engine (not minted by an action, nor made by a controller from a template) and no data."""
    return bool(render.applied(live)) and not render.retained(live)


def _aside(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """What a plan says beside whether all stands: it is true although something failed."""
    return tuple(one for one in conditions if one.type not in ("Ready", "Reconciling", "Stalled"))


def _said(obj: Obj) -> Obj:
    """The status as it stands but for its conditions: kinds keep there what they check later."""
    status = obj.get("status") or {}
    return {key: value for key, value in status.items() if key not in ("conditions", "observedGeneration")}


def _complaint(kind: Kind, obj: Obj) -> str:
    """What is wrong with the object by its model, in one line; empty where nothing is. Its status is no reason."""
    try:
        kind.model.model_validate(obj)
    except ValidationError as error:
        wrong = [e for e in error.errors() if e["loc"][:1] != ("status",)]
        if not wrong:
            return ""
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']} (is {e['input']!r:.80})" for e in wrong)
        return "; ".join(problems) + ". Correct the spec: the object is of a shape this version does not know"
    return ""


def _finalizers(obj: Obj, finalizers: list[str]) -> Obj:
    meta = obj["metadata"]
    name = {k: meta[k] for k in ("name", "namespace", "uid") if k in meta}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": {**name, "finalizers": finalizers}}
