# SPDX-License-Identifier: Apache-2.0
"""The deeds of Operations: each one write, or one that finds itself done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cairn.api.conditions import Reason
from cairn.api.resources import DATAVOLUME, OPERATION, PVC, Obj, Ref
from cairn.engine.kind import Action, ActionError, Io
from cairn.operation import disks, power
from cairn.operation.case import MARK, Case, notes_of, target_ref

MANAGER = "cairn-operation"
"""Field manager of what an Operation writes into what users own."""
CONFIRM = "cairn.dev/confirm-delete"


async def act(action: Action, case: Case, io: Io) -> None:
    """Carry out one action. Raises ActionError."""
    await DEEDS[action.name](case, action.args, io)


async def _power(case: Case, args: Mapping[str, Any], io: Io) -> None:
    """Once: what was seen may be older than this Operation's own write, and somebody may have set it back since."""
    live = await io.get(target_ref(case.op))
    if live is None or notes_of(live).get(MARK) == case.uid:
        return
    await io.patch(target_ref(case.op), power.power_patch(case.target, args["state"], case.uid), manager=MANAGER)


async def _restart(case: Case, args: Mapping[str, Any], io: Io) -> None:
    await io.delete(power.running_ref(case.op.spec.target.kind, case.name, case.namespace), args["uid"])


async def _snapshot(case: Case, args: Mapping[str, Any], io: Io) -> None:
    await _make(disks.snapshot(case, args["disk"]), case, io)


async def _restore(case: Case, args: Mapping[str, Any], io: Io) -> None:
    claim = await io.get(Ref(PVC, case.namespace, args["replaced"]))
    await _make(disks.restored_disk(case, args["disk"], claim), case, io)


async def _clone(case: Case, _: Mapping[str, Any], io: Io) -> None:
    # Nobody's child: what it makes belongs to the seller, as if written by hand.
    await io.submit(disks.cloned(case), manager=MANAGER)


async def _make(obj: Obj, case: Case, io: Io) -> None:
    """One that exists already is the next plan's to judge."""
    await io.create(obj, owner=case.target)


async def _undo_restore(case: Case, args: Mapping[str, Any], io: Io) -> None:
    """The claim first: with its DataVolume gone, nobody would know whose it is."""
    made = Ref(DATAVOLUME, case.namespace, args["disk"])
    live = await io.get(made)
    if live is None or notes_of(live).get(MARK) != case.uid or disks.is_made(live):
        return  # whole by now, whatever the plan saw: the machine may write on it already
    for ref in (Ref(PVC, case.namespace, args["disk"]), made):
        if (found := await io.get(ref)) is not None:
            meta = {"uid": found["metadata"]["uid"], "annotations": {CONFIRM: ref.name}}
            await io.patch(ref, {"metadata": meta})
            await io.delete(ref, found["metadata"]["uid"])


DEEDS: Mapping[str, Callable[[Case, Mapping[str, Any], Io], Awaitable[None]]] = {
    "power": _power,
    "restart": _restart,
    "snapshot": _snapshot,
    "restore": _restore,
    "clone": _clone,
    "undo-restore": _undo_restore,
}


async def expire(obj: Obj, io: Io) -> None:
    """Remove an Operation that ended a while ago."""
    meta = obj["metadata"]
    await io.delete(Ref(OPERATION, meta["namespace"], meta["name"]), meta["uid"])


def lost(message: str) -> ActionError:
    """The target went between the plan and the deed."""
    return ActionError(Reason.ACTION_FAILED, message)
