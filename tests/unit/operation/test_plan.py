# SPDX-License-Identifier: Apache-2.0
"""The life of an Operation, whatever its deed: what it waits for, how it ends, when it goes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from cairn.api.resources import OPERATION, SELLERVM, Ref
from unit.operation.world import NOW, NS, World, database, instance, machine, operation, promotion, ready, said

FROZEN: dict[str, Any] = {"promotions": [{"name": "double-11"}]}


@pytest.mark.parametrize("action", ["stop", "restart"])
async def test_frozen_target_holds_it_up_until_the_end_of_the_freeze(action: str) -> None:
    world = World(operation(action), machine(**FROZEN), instance(), promotion())
    phase, reason, message = said(await world.turns())
    assert (phase, reason) == ("Waiting", "Frozen")
    assert "2026-11-22T18:00:00Z" in message
    assert "cairn.dev/break-freeze" in message
    assert world.writes == []
    assert [one["type"] for one in world[OPERATION, "deed"]["status"]["conditions"]] == ["Ready", "Reconciling"]
    world.now = datetime.fromisoformat("2026-11-22T18:00:00Z")
    assert said(await world.turn())[0] == "Running"


async def test_frozen_target_whose_freeze_is_broken_is_stopped() -> None:
    target = machine(**FROZEN)
    target["metadata"]["annotations"] = {"cairn.dev/break-freeze": "2026-11-22T13:00:00Z"}
    world = World(operation("stop"), target, promotion())
    assert said(await world.turns())[0] == "Running"
    assert world.writes == ["patch SellerVM web"]


async def test_frozen_target_can_be_started_and_snapshotted() -> None:
    for action in ("start", "snapshot"):
        world = World(operation(action), machine(**FROZEN), promotion())
        assert said(await world.turn())[0] == "Running"


async def test_freeze_of_a_promotion_that_froze_nothing_does_not_hold_up() -> None:
    world = World(operation("stop"), machine(**FROZEN), promotion(freeze=False))
    assert said(await world.turn())[0] == "Running"


async def test_suspended_target_is_waited_for() -> None:
    world = World(operation("stop"), machine(suspend=True))
    assert said(await world.turns())[:2] == ("Waiting", "Suspended")
    world[SELLERVM, "web"]["spec"]["suspend"] = False
    assert said(await world.turn())[0] == "Running"


@pytest.mark.parametrize("gone", [True, False], ids=["missing", "deleting"])
async def test_target_that_is_not_there_is_named(gone: bool) -> None:
    target = machine()
    target["metadata"]["deletionTimestamp"] = "2026-11-22T11:00:00Z"
    world = World(operation(), *([] if gone else [target]))
    failed = await world.turn()
    assert said(failed)[:2] == ("Failed", "Failed")
    assert "SellerVM web" in said(failed)[2]
    assert [one["type"] for one in failed["status"]["conditions"]] == ["Ready", "Stalled"]


async def test_older_operation_on_the_same_target_goes_first() -> None:
    older = operation("stop", "older", created="2026-11-22T11:58:00Z")
    world = World(operation("start", "younger"), older, machine())
    assert said(await world.turn("younger")) == (
        "Waiting",
        "Waiting",
        "Operation older (stop) on SellerVM web goes first",
    )
    await world.turns("older")
    world.put(ready(world[SELLERVM, "web"], reason="Stopped"))
    await world.turn("older")
    assert said(await world.turns("younger"))[0] == "Running"
    assert world[SELLERVM, "web"]["spec"]["powerState"] == "Running"


async def test_operations_of_one_second_agree_who_goes_first() -> None:
    world = World(operation("stop", "a"), operation("start", "b"), machine())
    await world.turn("b")
    await world.turn("a")
    phases = {name: said(world[OPERATION, name])[0] for name in "ab"}
    assert sorted(phases.values()) == ["Running", "Waiting"]


async def test_operation_that_runs_is_not_overtaken_by_an_older_one_that_comes_late() -> None:
    world = World(operation("stop", "younger"), machine())
    await world.turn("younger")
    world.put(operation("start", "older", created="2026-11-22T11:00:00Z"))
    assert said(await world.turn("older"))[0] == "Waiting"
    assert said(await world.turn("younger"))[0] == "Running"


async def test_operations_on_other_targets_do_not_wait() -> None:
    older = operation("stop", "older", target="shop", created="2026-11-22T11:58:00Z")
    rds = operation("stop", "rds", kind="SellerRDS", created="2026-11-22T11:58:00Z")
    world = World(operation("start", "younger"), older, rds, machine(), database("web"))
    assert said(await world.turn("younger"))[0] == "Running"


async def test_deed_that_hangs_ends_and_lets_the_next_one_go() -> None:
    world = World(operation("start", "hangs", created="2026-11-22T11:58:00Z"), operation("stop", "next"), machine())
    world.put(ready(machine(), status="False", reason="GuestNotReady", message="no answer"))
    await world.turns("hangs")
    world.after(minutes=14, seconds=59)
    assert said(await world.turn("hangs"))[0] == "Running"
    assert said(await world.turn("next"))[0] == "Waiting"
    world.after(seconds=1)
    phase, _, message = said(await world.turn("hangs"))
    assert phase == "Failed"
    assert "GuestNotReady: no answer" in message
    assert said(await world.turn("next"))[0] == "Running"


async def test_ended_operation_stays_as_it_is_and_goes_after_its_days() -> None:
    world = World(operation("start"), machine())
    ended = await world.turns()
    before = dict(ended["status"])
    del world.objects[Ref(SELLERVM, NS, "web")]
    world.after(days=6)
    assert (await world.turns())["status"] == before
    assert world.plan().next == NOW + timedelta(days=7)
    world.after(days=1)
    await world.turn()
    assert world.writes == ["delete Operation deed"]


async def test_failed_operation_stays_failed_when_its_reason_is_gone() -> None:
    world = World(operation("start"))
    failed = dict((await world.turn())["status"])
    world.put(machine())
    assert (await world.turns())["status"] == failed


async def test_second_look_writes_the_same_status() -> None:
    world = World(operation("stop"), machine())
    await world.turns()
    first = dict(world[OPERATION, "deed"]["status"])
    world.after(seconds=30)
    assert (await world.turn())["status"] == first
