# SPDX-License-Identifier: Apache-2.0
"""The deeds of a SellerVM's plan. Each is idempotent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from cairn.api import pods
from cairn.api.quantity import compare
from cairn.api.resources import PVC, VMI, Ref
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Action, Io, Observed
from cairn.vm.clone_deeds import DEEDS as CLONE_DEEDS


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a deed works with."""

    vm: SellerVM
    observed: Observed
    io: Io

    @property
    def namespace(self) -> str:
        return self.vm.metadata.namespace


async def act(action: Action, vm: SellerVM, observed: Observed, io: Io) -> None:
    if deed := CLONE_DEEDS.get(action.name):
        await deed(action, vm, io)
    else:
        await DEEDS[action.name](action, Scene(vm, observed, io))


async def _reclaim(action: Action, scene: Scene) -> None:
    args = action.args
    await scene.io.reclaim(args["volume"], Ref(PVC, scene.namespace, args["claim"]), args["policy"])


async def _grow_disk(action: Action, scene: Scene) -> None:
    ref = Ref(PVC, scene.namespace, action.args["claim"])
    live = await scene.io.get(ref)
    if live is None or pods.terminating(live):
        return
    asked = ((live["spec"].get("resources") or {}).get("requests") or {}).get("storage") or "0"
    if compare(asked, action.args["size"]) < 0:
        await scene.io.patch(ref, {"spec": {"resources": {"requests": {"storage": action.args["size"]}}}})


async def _restart(action: Action, scene: Scene) -> None:
    """KubeVirt makes the instance anew from the machine as it is now. Only the very one that the plan saw goes."""
    ref = Ref(VMI, scene.namespace, scene.vm.metadata.name)
    if not pods.terminating(await scene.io.get(ref)):  # a guest takes its time to shut down
        await scene.io.delete(ref, action.args["uid"])


DEEDS: Mapping[str, Callable[[Action, Scene], Awaitable[None]]] = {
    "reclaim": _reclaim,
    "grow-disk": _grow_disk,
    "restart": _restart,
}
