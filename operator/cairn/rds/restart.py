# SPDX-License-Identifier: Apache-2.0
"""What of the wanted server takes effect only when its pod is made anew. Pure: it says so, and restarts nothing."""

from __future__ import annotations

from cairn.api import pods
from cairn.api.resize import Resize, Step
from cairn.api.resources import Obj
from cairn.rds import objects


def restart_pending(pod: Obj | None, stateful_set: Obj, change: Resize) -> str:
    """What waits, in words; empty where the pod is as its template says."""
    if pod is None or pods.terminating(pod):
        return ""
    template = stateful_set["spec"]["template"]
    waits = [change.message] if change.step is Step.RESTART else []
    live, wanted = pods.spec_container(pod), template["spec"]["containers"][0]
    if live.get("image") != wanted["image"]:
        waits.append(f"image {wanted['image']}")
    waits += _parameters(pod, template)
    known = {key: live.get(key) for key in ("command", "env")}
    if not waits and any(value != wanted[key] for key, value in known.items()):
        waits.append("a new rendering")
    return ", ".join(waits)


def _parameters(pod: Obj, template: Obj) -> list[str]:
    running, wanted = objects.parameters_of(pod), objects.parameters_of(template)
    return [f"{key} {value}" for key, value in sorted(wanted.items()) if running.get(key) != value]
