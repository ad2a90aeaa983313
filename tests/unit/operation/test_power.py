# SPDX-License-Identifier: Apache-2.0
"""start, stop and restart, from the first pass to the last."""

from __future__ import annotations

from typing import cast

import pytest

from cairn.api.resources import OPERATION, POD, SELLERRDS, SELLERVM, VMI, Obj
from cairn.engine.kind import Io
from unit.operation.world import KIND, World, database, external, instance, machine, operation, pod, ready, said


async def test_stop_is_written_down_before_anything_is_done() -> None:
    world = World(operation("stop"), machine())
    assert (await world.turn())["status"]["phase"] == "Running"
    assert world.writes == []
    await world.turn()
    assert world.writes == ["patch SellerVM web"]
    assert world[SELLERVM, "web"]["spec"]["powerState"] == "Stopped"


async def test_stop_ends_when_the_machine_says_stopped_of_this_generation() -> None:
    world = World(operation("stop"), machine())
    assert said(await world.turns())[0] == "Running"  # Ready=True is of the generation before
    world.put(ready(world[SELLERVM, "web"], reason="Stopped"))
    done = await world.turn()
    assert said(done) == ("Succeeded", "Succeeded", "SellerVM web is stopped")
    assert done["status"]["endedAt"] == "2026-11-22T12:00:00Z"
    assert world.writes == ["patch SellerVM web"]
    assert {ref.name: manager for ref, manager in world.managers.items()} == {"web": "cairn-operation"}


async def test_start_of_what_runs_already_writes_nothing() -> None:
    world = World(operation("start", kind="SellerRDS", target="shop-db"), database())
    assert said(await world.turns()) == ("Succeeded", "Succeeded", "SellerRDS shop-db is running")
    assert world.writes == []


async def test_start_is_not_done_by_what_was_said_before_it() -> None:
    """Stopped a moment ago: the machine's status is of the time when it still ran."""
    target = machine()
    target["spec"]["powerState"] = "Stopped"
    world = World(operation("start"), target)
    assert said(await world.turns())[0] == "Running"
    world.put(ready(world[SELLERVM, "web"]))
    assert said(await world.turn())[0] == "Succeeded"


async def test_stop_set_back_by_somebody_else_fails_and_is_not_repeated() -> None:
    world = World(operation("stop"), machine())
    await world.turns()
    world[SELLERVM, "web"]["spec"]["powerState"] = "Running"
    phase, _, message = said(await world.turns())
    assert phase == "Failed"
    assert "set to Running by somebody else" in message
    assert world.writes == ["patch SellerVM web"]


async def test_stop_by_an_outdated_view_is_not_repeated() -> None:
    world = World(operation("stop"), machine())
    await world.turn()
    obj = world[OPERATION, "deed"]
    seen, plan = world.observe(obj), world.plan()
    await world.turn()
    world[SELLERVM, "web"]["spec"]["powerState"] = "Running"
    await KIND.act(plan.actions[0], obj, seen, cast(Io, world))
    assert world.writes == ["patch SellerVM web"]


async def test_start_of_what_can_never_come_up_fails_with_its_words() -> None:
    world = World(operation("start"), machine(powerState="Stopped"))
    await world.turns()
    world.put(ready(world[SELLERVM, "web"], status="False", reason="InvalidSpec", message="spec.x: no", stalled=True))
    phase, _, message = said(await world.turn())
    assert phase == "Failed"
    assert "InvalidSpec: spec.x: no" in message


async def test_target_made_anew_in_between_is_left_alone() -> None:
    world = World(operation("stop"), machine())
    await world.turn()
    world[SELLERVM, "web"]["metadata"]["uid"] = "uid-another"
    assert said(await world.turn())[0] == "Failed"
    assert world.writes == []


@pytest.mark.parametrize(
    ("kind", "target", "live"), [("SellerVM", machine(), instance()), ("SellerRDS", database(), pod())]
)
async def test_restart_ends_what_runs_once_and_waits_for_another(kind: str, target: Obj, live: Obj) -> None:
    name = target["metadata"]["name"]
    world = World(operation("restart", kind=kind, target=name), target, live)
    begun = await world.turn()
    assert begun["status"]["before"] == live["metadata"]["uid"]
    assert said(await world.turns())[0] == "Running"
    assert world.writes == [f"delete {live['kind']} {live['metadata']['name']}"]
    new = {**live, "metadata": {**live["metadata"], "uid": "another"}}
    world.put(ready(new, status="False"))
    assert said(await world.turns())[0] == "Running"
    world.put(ready(new))
    assert said(await world.turn()) == ("Succeeded", "Succeeded", f"{kind} {name} was restarted")
    assert len(world.writes) == 1


async def test_restart_waits_while_what_runs_goes_down() -> None:
    world = World(operation("restart"), machine(), instance())
    await world.turn()
    world[VMI, "web"]["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:00Z"
    assert "going down" in said(await world.turns())[2]
    assert world.writes == []


async def test_restart_of_a_stopped_machine_fails_and_names_start() -> None:
    world = World(operation("restart"), machine(powerState="Stopped"))
    phase, reason, message = said(await world.turn())
    assert (phase, reason) == ("Failed", "Failed")
    assert "start it instead" in message


async def test_restart_of_what_does_not_run_yet_waits() -> None:
    assert said(await World(operation("restart"), machine()).turn())[:2] == ("Waiting", "Waiting")


@pytest.mark.parametrize("action", ["start", "stop", "restart"])
async def test_server_of_somebody_else_is_not_touched(action: str) -> None:
    world = World(operation(action, kind="SellerRDS", target="shop-db"), external())
    phase, _, message = said(await world.turns())
    assert phase == "Failed"
    assert "external" in message
    assert world.writes == []
    assert SELLERRDS in {ref.resource for ref in world.objects}
    assert POD not in {ref.resource for ref in world.objects}
