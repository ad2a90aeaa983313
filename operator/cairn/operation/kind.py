# SPDX-License-Identifier: Apache-2.0
"""Operation as the engine knows it: what it wants to see and does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from cairn.api.lookup import parsed
from cairn.api.operation import Operation
from cairn.api.platform import Platform
from cairn.api.resources import DATAVOLUME, OPERATION, PROMOTION, SELLERVM, VMI, VOLUMESNAPSHOT, Obj, Ref, Resource
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Action, Io, Observed, Plan, Want, Within
from cairn.operation import disks, power, pushed
from cairn.operation.act import act, expire, lost
from cairn.operation.case import Fails, case_of, target_ref
from cairn.operation.plan import plan_operation


def _may_be_half_done(op: Operation) -> bool:
    asked = op.spec.action == "restore" or op.spec.target.kind == "PushSubscription"
    return asked and op.status.phase == "Failed" and bool(op.status.before)


class OperationKind:
    """An Operation does one deed on its target and says what came of it."""

    resource: Resource = OPERATION
    model: type[BaseModel] = Operation
    children: tuple[Resource, ...] = ()
    finalizer = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        return ()

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        op = parsed(Operation, obj)
        if not isinstance(op, Operation) or (op.status.ended_at and not _may_be_half_done(op)):
            return
        name, namespace, args = op.spec.target.name, op.metadata.namespace, op.spec.args
        yield target_ref(op)
        if op.spec.target.kind == "PushSubscription":
            yield from pushed.way(op, seen)
            return
        yield Within(OPERATION, namespace)
        target = seen.refs.get(target_ref(op)) or {}
        yield from (Ref(PROMOTION, "", entry["name"]) for entry in (target.get("spec") or {}).get("promotions") or ())
        match op.spec.action:
            case "restart":
                yield power.running_ref(op.spec.target.kind, name, namespace)
            case "snapshot":
                yield Ref(VOLUMESNAPSHOT, namespace, (args and args.name) or op.metadata.name)
            case "restore":
                yield Ref(VMI, namespace, name)
                yield Ref(VOLUMESNAPSHOT, namespace, (args and args.snapshot) or "")
                machine = parsed(SellerVM, target) if target else None
                used = disks.disk_in_use(machine) if isinstance(machine, SellerVM) else None
                if disk := op.status.before or used:
                    yield Ref(DATAVOLUME, namespace, disks.next_disk(name, disk))
            case "clone":
                yield Ref(SELLERVM, namespace, (args and args.name) or "")

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        op = parsed(Operation, obj)
        if not isinstance(op, Operation) or not pushed.asks(op):
            return {}
        from cairn.operation.desk import look

        return await look(op, observed, self._platform)

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_operation(obj, observed, now, self._platform)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        if action.name == "expire":
            await expire(obj, io)
            return
        op = parsed(Operation, obj)
        if action.name in pushed.DEEDS and isinstance(op, Operation):
            from cairn.operation import desk

            await desk.act(action, op, observed, self._platform)
            return
        case = case_of(op, observed, datetime.now(UTC), self._platform) if isinstance(op, Operation) else None
        if case is None or isinstance(case, Fails):
            raise lost(case.message if case else "the Operation can't be read")
        await act(action, case, io)
