# SPDX-License-Identifier: Apache-2.0
"""How big a worker should be at this moment, and how its pod gets there without being made anew. Pure.

The Deployment's template keeps the size outside of promotions: a change of it would make the pod anew. A promotion
resizes the pod alone; one that is made anew meanwhile begins small and is resized again.
"""

from __future__ import annotations

from cairn.api import pods
from cairn.api.quantity import compare
from cairn.api.resize import Limits, Resize, Step, limits, resize, within_quota
from cairn.api.resources import Obj
from cairn.calendar.asked import Asked
from cairn.push.decide import plan_size
from cairn.push.objects import RENEWED_FOR


def in_force(base: Obj, asked: Asked) -> Limits | None:
    """The size that the pod should have now; None where the worker has no plan, and its size is nobody's business."""
    if asked.who.base_plan is None:
        return None
    wanted = limits({"resources": base})
    if asked.capacity.plan not in (None, asked.who.base_plan):
        wanted = plan_size(asked.plans.get(asked.capacity.plan or "")) or wanted
    return wanted


def change(
    wanted: Limits | None, base: Obj, asked: Asked, pod: Obj | None, deployed: Obj | None, quota: Obj | None
) -> Resize | None:
    """What is to be done about the pod's size; None where nothing is."""
    running, template = limits(pods.spec_container(pod)), pods.spec_container(template_of(deployed))
    if wanted is None or running is None or pod is None:
        return None
    if asked.frozen:
        wanted = (_larger(wanted[0], running[0]), _larger(wanted[1], running[1]))
    elif limits(template) != limits({"resources": base}):
        return None  # the pod is about to be made anew
    found = within_quota(resize(pod, template, *wanted), pod, quota)
    runs = (pod.get("status") or {}).get("phase") == "Running"
    return found if found.step is not Step.DONE and runs else None


def renewed_for(found: Resize | None, asked: Asked, pod: Obj | None, deployed: Obj | None) -> str:
    """A mark for the template, which makes the pod anew where its node can't take memory back. It stays once it was
    set: taking it off would make the pod anew once more."""
    if found is not None and found.step is Step.RESTART and not found.stuck and not asked.frozen:
        return str(((pod or {}).get("metadata") or {}).get("uid") or "")
    annotations = (template_of(deployed).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(RENEWED_FOR) or "")


def template_of(deployed: Obj | None) -> Obj:
    found = ((deployed or {}).get("spec") or {}).get("template")
    return found if isinstance(found, dict) else {}


def _larger(one: str, other: str) -> str:
    return one if compare(one, other) > 0 else other
