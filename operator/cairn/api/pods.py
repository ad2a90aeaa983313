# SPDX-License-Identifier: Apache-2.0
"""What a real pod, its volume and the quota say about a program that is not up. Pure readers of live objects."""

from __future__ import annotations

from cairn.api.conditions import Condition, Reason, not_ready, progressing
from cairn.api.quantity import parse, show
from cairn.api.resources import Obj

QUOTA = "cairn"
"""Name of the ResourceQuota that a Seller's namespace has."""
IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


def spec_container(pod: Obj | None) -> Obj:
    return _first(((pod or {}).get("spec") or {}).get("containers"))


def container_status(pod: Obj | None) -> Obj:
    return _first(((pod or {}).get("status") or {}).get("containerStatuses"))


def condition(obj: Obj | None, kind: str) -> Obj:
    """A condition of a live object by type; empty where it has none."""
    found = ((obj or {}).get("status") or {}).get("conditions") or ()
    return next((entry for entry in found if entry.get("type") == kind), {})


def is_ready(pod: Obj | None) -> bool:
    return pod is not None and not terminating(pod) and condition(pod, "Ready").get("status") == "True"


def terminating(obj: Obj | None) -> bool:
    return bool(((obj or {}).get("metadata") or {}).get("deletionTimestamp"))


def trouble(pod: Obj | None, claim: Obj | None, quota: Obj | None, size: dict[str, str]) -> tuple[Condition, ...]:
    """Why the program is not up, by what is nearest to the cause; empty where its pod is ready.

    size: what the pod asks of the quota, by the quota's keys
    """
    if is_ready(pod):
        return ()
    if pod is None:
        if missing := over_quota(quota, size):
            return not_ready(Reason.QUOTA_EXCEEDED, f"no pod: {missing}")
        return progressing(Reason.PROGRESSING, "the pod is being made")
    if terminating(pod):
        return progressing(Reason.PROGRESSING, "the pod is being stopped and will be made anew")
    return _not_scheduled(pod, claim) or _container_trouble(pod) or progressing(Reason.PROGRESSING, "starting")


def _not_scheduled(pod: Obj, claim: Obj | None) -> tuple[Condition, ...]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") != "False":
        return ()
    message = str(scheduled.get("message") or "no node takes the pod")
    phase = ((claim or {}).get("status") or {}).get("phase")
    if phase == "Pending" and ("PersistentVolumeClaim" in message or "persistentvolumeclaim" in message):
        return not_ready(Reason.STORAGE_PENDING, f"the volume is not there yet: {message}")
    return not_ready(Reason.UNSCHEDULABLE, message)


def _container_trouble(pod: Obj) -> tuple[Condition, ...]:
    status = container_status(pod)
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    if reason in IMAGE_REASONS:
        image = spec_container(pod).get("image", "")
        return not_ready(Reason.IMAGE_UNAVAILABLE, f"{image}: {message or reason}")
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    if reason == "CrashLoopBackOff" or (state.get("terminated") and ended.get("exitCode")):
        why = str(ended.get("message") or ended.get("reason") or message).strip()[-600:]
        return not_ready(Reason.CRASH_LOOPING, f"exit code {ended.get('exitCode', '?')}: {why}")
    if reason == "CreateContainerConfigError":
        return not_ready(Reason.PROGRESSING, message)
    return ()


def over_quota(quota: Obj | None, more: dict[str, str]) -> str:
    """What of the namespace's quota does not suffice for `more` (keys as in the quota); empty where it does."""
    status = (quota or {}).get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    short = []
    for key, amount in sorted(more.items()):
        if key not in hard:
            continue
        needed = parse(used.get(key, "0")) + parse(amount)
        if needed > parse(hard[key]):
            binary = hard[key].endswith("i")
            asked = show(parse(amount), binary=binary)
            short.append(f"{key}: {used.get(key, '0')} of {hard[key]} are used and {asked} more are needed")
    return "; ".join(short) and f"the seller's quota is too small ({'; '.join(short)}): choose less, or a larger plan"


def status(pod: Obj | None) -> Obj | None:
    """The pod as the status shows it."""
    if pod is None:
        return None
    found: Obj = {
        "name": pod["metadata"]["name"],
        "ready": is_ready(pod),
        "restarts": int(container_status(pod).get("restartCount") or 0),
    }
    if node := (pod.get("spec") or {}).get("nodeName"):
        found["node"] = node
    return found


def _first(items: object) -> Obj:
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
