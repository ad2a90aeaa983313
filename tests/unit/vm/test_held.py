# SPDX-License-Identifier: Apache-2.0
"""A machine whose promotion was deleted or suspended while it was on: what status says is kept, whatever is done to the
machine meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cairn.api.resources import Obj
from unit.vm import machine_world as world
from unit.vm.machine_world import NOW
from unit.vm.peaks import snapshot_class

ENTRY = {"name": "double-11", "planRef": {"name": "vm.large"}, "replicas": {"min": 20, "max": 40}}
UNTIL = "2026-11-22T15:00:00Z"
"""End of the cool-down of `world.promotion()`."""


def looked(status: Obj, *, promotion: Obj | None = None, meta: Obj | None = None, **spec: Any) -> Any:
    """One pass over the machine as it stands with that status."""
    obj = world.vm(status, meta=meta, promotions=[ENTRY], **spec)
    refs = [snapshot_class(), *([promotion] if promotion else [])]
    return world.plan(obj, world.standing(obj, refs=refs))


def raised() -> Obj:
    return dict(looked({}, promotion=world.promotion()).status)


NIGHT = {"timeZone": "UTC", "windows": [{"name": "now", "days": ["Sun"], "start": "11:00", "duration": "3h"}]}
"""It is such a window now: only the freeze keeps changes from being made."""


@pytest.mark.parametrize("gone", [None, world.promotion(suspend=True)], ids=["deleted", "suspended"])
def test_machine_that_is_stopped_and_started_has_its_clones_back(gone: Obj | None) -> None:
    status = raised()
    for power in ("Stopped", "Stopped", "Running", "Running"):
        status = dict(looked(status, promotion=gone, powerState=power).status)
        clones = status["clones"]
        assert (clones["floor"], clones["ceiling"]) == (20, 40), power
        assert status["plan"]["until"] == UNTIL

    assert "take-snapshot" in [action.name for action in looked(status, promotion=gone).actions]


@pytest.mark.parametrize("broken", [False, True])
def test_freeze_lasts_with_the_hold_and_can_be_broken(broken: bool) -> None:
    later = (NOW + timedelta(hours=1)).isoformat()
    meta = {"annotations": {"cairn.dev/break-freeze": later}} if broken else {}
    asked = {"cloudInit": {"secretRef": {"name": "shop-init"}}, "maintenance": NIGHT}
    obj = world.vm(raised(), meta=meta, promotions=[ENTRY], **asked)
    seen = world.standing(world.vm(raised(), promotions=[ENTRY]), refs=[world.secret("shop-init", userdata="")])
    got = world.plan(obj, seen)

    if broken:
        assert "restart" in [action.name for action in got.actions]
    else:
        assert world.said(got, "Deferred")[:2] == (True, "Frozen")
        assert UNTIL in world.said(got, "Deferred")[2]
