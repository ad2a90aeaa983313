# SPDX-License-Identifier: Apache-2.0
"""What a machine says about itself: conditions and status, from the real objects. Pure.

Of everything that may keep a guest from answering, Ready names the cause that is nearest to the truth: the disk before
the pod, the pod before the guest.
"""

from __future__ import annotations

from cairn.api import pods, vm_size
from cairn.api.conditions import Condition, Reason, not_ready, progressing, ready
from cairn.api.resources import VIRTUALMACHINE, VMI, Obj
from cairn.api.sellervm import SellerVM
from cairn.calendar import held
from cairn.calendar.freeze import show
from cairn.engine.kind import Observed
from cairn.vm import decide, disk, image, network, resize
from cairn.vm.case import BASE, Case


def conditions(case: Case) -> tuple[Condition, ...]:
    """Ready and what explains it, then how far a change of size is, then what waits."""
    state = _state(case)
    denied = network.not_yours(case)
    if denied and state[0].status:
        state = not_ready(denied.reason, denied.message)
    return (*state, *_resizing(case))


def _state(case: Case) -> tuple[Condition, ...]:
    base = case.base
    if not case.running:
        if base.instance is not None and (base.instance.get("status") or {}).get("phase") not in (
            "Succeeded",
            "Failed",
        ):
            return progressing(Reason.PROGRESSING, "the guest shuts down")
        if base.machine is None or not (disk.done(case) or disk.phase(base.volume) in disk.WAITS_FOR_USE):
            return _disk_state(case) or progressing(Reason.PROGRESSING, "the machine is being made")
        return ready("stopped as asked", Reason.STOPPED)
    if pods.condition(base.instance, "Ready").get("status") == "True" and not pods.terminating(base.instance):
        return ready()
    return _disk_state(case) or _pod_state(case) or _guest_state(case)


def _disk_state(case: Case) -> tuple[Condition, ...]:
    base = case.base
    if disk.done(case):
        return ()
    if base.volume is None:
        return image.snapshot_state(case) or progressing(Reason.DISK_PENDING, f"disk {case.disk} is being made")
    phase = disk.phase(base.volume)
    said = pods.condition(base.volume, "Running")
    trouble = str(said.get("message") or "") if said.get("reason") in ("Error", "ImagePullFailed") else ""
    if phase == "Failed" or trouble:
        why = trouble or said.get("message") or pods.condition(base.volume, "Ready").get("message") or "no reason given"
        message = (
            f"disk {case.disk} can't be made from spec.image: {why}. If it stays so, correct the source, or delete this"
            f" object and DataVolume {case.disk} and name another image"
        )
        return not_ready(Reason.IMAGE_UNAVAILABLE, message)
    if phase in disk.WAITS_FOR_USE:
        return ()  # it goes on when the machine's pod has a node
    progress = (base.volume.get("status") or {}).get("progress")
    far = f" ({progress})" if progress and progress != "N/A" else ""
    claim = pods.condition(base.volume, "Bound")
    bound = f": {claim['message']}" if claim.get("status") == "False" and claim.get("message") else ""
    return progressing(Reason.DISK_PENDING, f"disk {case.disk} is being made: {phase}{far}{bound}")


def _pod_state(case: Case) -> tuple[Condition, ...]:
    base = case.base
    if base.machine is None:
        return progressing(Reason.PROGRESSING, "the machine is being made")
    failed = _said_by(base.instance, "Synchronized") or _said_by(base.machine, "Failure")
    if "violates PodSecurity" in failed:
        message = (
            f"the pod of the machine is refused: {failed}. Set seccompConfiguration.virtualMachineInstanceProfile."
            "customProfile.runtimeDefaultProfile: true in the configuration of the KubeVirt object (docs/machines.md)"
        )
        return not_ready(Reason.API_ERROR, message)
    if "exceeded quota" in failed:
        missing = pods.over_quota(case.quota, vm_size.launcher(case.size.cpu, case.size.memory))
        return not_ready(Reason.QUOTA_EXCEEDED, missing or failed)
    if base.pod is None:
        if failed:
            return not_ready(Reason.API_ERROR, f"KubeVirt can't start the machine: {failed}")
        if (base.machine.get("status") or {}).get("printableStatus") == "CrashLoopBackOff":
            fails = ((base.machine.get("status") or {}).get("startFailure") or {}).get("consecutiveFailCount", "?")
            return not_ready(Reason.CRASH_LOOPING, f"the guest ended {fails} times at its start: look at its console")
        return progressing(Reason.PROGRESSING, "the machine's pod is being made")
    needs = vm_size.launcher(case.size.cpu, case.size.memory)
    phase = ((base.instance or {}).get("status") or {}).get("phase")
    return () if phase == "Running" else pods.trouble(base.pod, base.claim, case.quota, needs)


def _said_by(obj: Obj | None, kind: str) -> str:
    """The message of a condition that tells of a failure."""
    found = pods.condition(obj, kind)
    bad = "True" if kind == "Failure" else "False"
    return str(found.get("message") or found.get("reason") or "") if found.get("status") == bad else ""


def _guest_state(case: Case) -> tuple[Condition, ...]:
    phase = ((case.base.instance or {}).get("status") or {}).get("phase")
    if pods.condition(case.base.instance, "Paused").get("status") == "True":
        return not_ready(Reason.GUEST_NOT_READY, "the guest is paused: let it go on with virtctl unpause")
    if phase == "Running" and case.vm.spec.ports:
        port = case.vm.spec.ports[0]
        message = f"the guest runs and does not answer on port {port.port} ({port.name}, the first of spec.ports) yet"
        return progressing(Reason.GUEST_NOT_READY, message)
    return progressing(Reason.GUEST_NOT_READY, "the guest is starting")


def _resizing(case: Case) -> tuple[Condition, ...]:
    """A change of size that is under way: KubeVirt moves the guest to another pod for it."""
    to = resize.pending(case.base.instance)
    has = resize.in_guest(case.base.instance)
    if to is None or has is None:
        return ()
    head = f"the guest goes from {has} to {to} by a live migration"
    short = pods.over_quota(case.quota, vm_size.launcher(to.cpu, to.memory))
    pod = _migration_target(case)
    if pod is None and short:
        return (Condition("Resized", False, Reason.MIGRATION_BLOCKED, f"{head}, and {short}"),)
    scheduled = pods.condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        message = f"{head}, and no other node takes it: {scheduled.get('message')}"
        return (Condition("Resized", False, Reason.MIGRATION_BLOCKED, message),)
    return (Condition("Resized", False, Reason.PROGRESSING, head),)


def _migration_target(case: Case) -> Obj | None:
    mine = decide.launchers(case.name, case.observed, role=BASE)
    others = (pod for pod in mine if pod is not case.base.pod and not pods.terminating(pod))
    return next((pod for pod in others if (pod.get("status") or {}).get("phase") in ("Pending", "Running")), None)


def status(case: Case) -> Obj:
    """All but what the parts say themselves: disks, service, clones, snapshots."""
    found = kept(case.vm, case.observed)
    for key in ("size", "service", "url", "plan", "next", "cost"):
        found.pop(key, None)
    if has := resize.in_guest(case.base.instance):
        found["size"] = resize.spelled(has)
    if plan := _plan(case):
        found["plan"] = plan
    if case.capacity.next:
        found["next"] = {"at": show(case.capacity.next.at), "what": case.capacity.next.what[:300]}
    return found


def _plan(case: Case) -> Obj | None:
    """The plan whose size runs, and where it is going; `until` and `reason` while a promotion holds it."""
    capacity = case.capacity
    raised: Obj = {}
    if capacity.until and capacity.reason:
        raised = {"until": show(capacity.until), "reason": capacity.reason[:300]}
    if promotions := held.spelled(capacity.held):
        raised["promotions"] = promotions
    if capacity.plan is None:  # resources of its own: what holds its clones must be said all the same
        return raised or None
    base = case.vm.spec.plan_ref.name if case.vm.spec.plan_ref else None
    has = resize.in_guest(case.base.instance)
    if not resize.started(case.base.instance) or has == case.wanted:
        current: str | None = capacity.plan
    elif case.vm.status.plan:
        current = case.vm.status.plan.current
    else:
        fitting = (name for name in case.plans if decide.size_of(case.vm, name, case.plans) == has)
        current = next(fitting, base) or capacity.plan
    plan: Obj = {"current": current}
    if capacity.plan != plan["current"] or (capacity.reason and capacity.plan != base):
        plan["target"] = capacity.plan
    return plan | raised


def kept(vm: SellerVM, observed: Observed) -> Obj:
    """What was said before and can't be seen at the moment stays said; the machine is always as it is now."""
    unsaid = {"conditions", "observed_generation", "machine"}
    found: Obj = vm.status.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=unsaid)
    if seen := _machine(vm, observed):
        found["machine"] = seen
    return found


def _machine(vm: SellerVM, observed: Observed) -> Obj | None:
    name, namespace = vm.metadata.name, vm.metadata.namespace
    live, instance = observed.child(VIRTUALMACHINE, name, namespace), observed.child(VMI, name, namespace)
    if live is None:
        return None
    status = (instance or {}).get("status") or {}
    answers = pods.condition(instance, "Ready").get("status") == "True" and not pods.terminating(instance)
    seen: Obj = {"ready": answers}
    if phase := (live.get("status") or {}).get("printableStatus"):
        seen["phase"] = str(phase)
    if node := status.get("nodeName"):
        seen["node"] = node
    addresses = [interface.get("ipAddress") for interface in status.get("interfaces") or ()]
    if addresses and addresses[0]:
        seen["address"] = addresses[0]
    return seen
