# SPDX-License-Identifier: Apache-2.0
"""The deeds of clones and snapshots. Each is idempotent, looks anew before it writes, and never logs a secret."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from cairn.api import pods
from cairn.api.conditions import Reason
from cairn.api.resources import POD, SECRET, VMPOOL, VOLUMESNAPSHOT, Obj, Ref
from cairn.api.secrets import is_cairns, raw, secret
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Action, ActionError, Io
from cairn.vm.case import BY, DISK_OF, TRAFFIC
from cairn.vm.clones import DRAINING_SINCE, PEAK, taken_by
from cairn.vm.load import LOW_LOAD
from cairn.vm.userdata import for_clone

USERDATA = ("userdata", "userData")
"""Keys of a Secret in which KubeVirt looks for user data, in its order."""


async def take_snapshot(action: Action, vm: SellerVM, io: Io) -> None:
    """One at a time for clones: each is named by its moment, so a second would not be refused."""
    wanted = action.args["snapshot"]["metadata"]
    if wanted["annotations"][BY] == PEAK:
        standing = await io.list(VOLUMESNAPSHOT, vm.metadata.namespace, f"{DISK_OF}={vm.metadata.name}")
        if any(taken_by(one) == PEAK and not pods.terminating(one) for one in standing):
            return
    await io.create(action.args["snapshot"])


async def create_pool(action: Action, vm: SellerVM, io: Io) -> None:
    if init := action.args["init"]:
        await _write_user_data(init["of"], init["secret"], vm, io)
    await io.create(action.args["pool"])


async def take_traffic(action: Action, vm: SellerVM, io: Io) -> None:
    body = {"metadata": {"labels": {TRAFFIC: None}, "annotations": {DRAINING_SINCE: action.args["since"]}}}
    await _patch_pods(action, vm, io, body)


async def give_traffic(action: Action, vm: SellerVM, io: Io) -> None:
    body = {"metadata": {"labels": {TRAFFIC: "true"}, "annotations": {DRAINING_SINCE: None}}}
    await _patch_pods(action, vm, io, body)


async def scale_clones(action: Action, vm: SellerVM, io: Io) -> None:
    """Only from the very number that was planned from: an autoscaler may have been faster."""
    ref = Ref(VMPOOL, vm.metadata.namespace, action.args["pool"])
    live = await io.get(ref)
    if live is None or live["spec"].get("replicas", 1) != action.args["before"]:
        return
    meta = {"resourceVersion": live["metadata"]["resourceVersion"]}
    await io.patch(ref, {"metadata": meta, "spec": {"replicas": action.args["replicas"]}})


async def note_load(action: Action, vm: SellerVM, io: Io) -> None:
    ref = Ref(VMPOOL, vm.metadata.namespace, action.args["pool"])
    if await io.get(ref) is not None:
        await io.patch(ref, {"metadata": {"annotations": {LOW_LOAD: action.args["note"]}}})


DEEDS: Mapping[str, Callable[[Action, SellerVM, Io], Awaitable[None]]] = {
    "take-snapshot": take_snapshot,
    "create-pool": create_pool,
    "take-traffic": take_traffic,
    "give-traffic": give_traffic,
    "scale-clones": scale_clones,
    "note-load": note_load,
}


async def _patch_pods(action: Action, vm: SellerVM, io: Io, body: Obj) -> None:
    for name in action.args["pods"]:
        ref = Ref(POD, vm.metadata.namespace, name)
        if await io.get(ref) is not None:
            await io.patch(ref, body)


async def _write_user_data(of: str, name: str, vm: SellerVM, io: Io) -> None:
    """The clones' user data is made anew each time they come, from what the base is told now."""
    namespace = vm.metadata.namespace
    found = await io.get(Ref(SECRET, namespace, of))
    key = next((key for key in USERDATA if key in ((found or {}).get("data") or {})), None)
    if found is not None and is_cairns(found):
        message = f"Secret {of}, which spec.cloudInit.secretRef names, is one of Cairn's own: name one of yours"
        raise ActionError(Reason.SECRET_NOT_FOUND, message)
    if key is None:
        message = f"Secret {of}, which spec.cloudInit.secretRef names, has no key userdata: add it"
        raise ActionError(Reason.SECRET_NOT_FOUND, message)
    data = {"userdata": for_clone(raw(found, key))}
    live = await io.get(Ref(SECRET, namespace, name))
    if live is None:
        if await io.create(secret(namespace, name, {}, data)) is None:
            raise ActionError(Reason.CONFLICT, f"Secret {name} was made by somebody else just now; looking again")
        return
    labels = live["metadata"].get("labels") or {}
    if (labels.get("cairn.dev/owner-kind"), labels.get("cairn.dev/owner-name")) != ("SellerVM", vm.metadata.name):
        message = f"Secret {name} exists and was not made for this object: it is left alone. Rename or delete it"
        raise ActionError(Reason.CONFLICT, message)
    await io.update_data(Ref(SECRET, namespace, name), data)
