# SPDX-License-Identifier: Apache-2.0
"""erase: asked here, done by the IntegrationTenant's own reconcile."""

from __future__ import annotations

from typing import Any

import pytest

from cairn.api.resources import INTEGRATIONTENANT, Obj
from unit.operation.world import NS, World, operation, ready, said

BUYER = {"shop": "55501", "ouid": "AAHk5d"}


def tenant(uid: str = "uid-main", **spec: Any) -> Obj:
    return ready(
        {
            "apiVersion": "cairn.dev/v1alpha1",
            "kind": "IntegrationTenant",
            "metadata": {"name": "main", "namespace": NS, "uid": uid, "generation": 1},
            "spec": {"databaseRef": {"name": "shop-db"}, "shops": ["55501"]} | spec,
        }
    )


def erase(name: str = "deed") -> Obj:
    return operation("erase", name, "IntegrationTenant", "main", args=BUYER, confirm="main")


async def test_erase_is_done_when_the_tenant_has_noted_it() -> None:
    world = World(erase(), tenant())
    assert said(await world.turns())[0] == "Running"
    world.put(ready(world[INTEGRATIONTENANT, "main"], erased=["uid-another"]))
    assert said(await world.turn())[0] == "Running"
    world.put(ready(world[INTEGRATIONTENANT, "main"], erased=["uid-another", "uid-deed"]))
    assert said(await world.turn()) == (
        "Succeeded",
        "Succeeded",
        "the buyer is in no view of IntegrationTenant main any more",
    )
    assert world.writes == []


async def test_erase_says_what_the_tenant_says_while_it_waits() -> None:
    world = World(erase(), ready(tenant(), status="False", reason="DatabaseUnreachable", message="no connection"))
    assert "DatabaseUnreachable: no connection" in said(await world.turns())[2]


async def test_erase_waits_for_no_other_erase() -> None:
    world = World(erase(), tenant(), erase("older"))
    assert said(await world.turns())[0] == "Running"


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        pytest.param([], "does not exist", id="none"),
        pytest.param([tenant() | {"spec": {}}], "can't be read", id="broken"),
    ],
)
async def test_erase_without_a_sound_target_fails(targets: list[Obj], told: str) -> None:
    phase, _, message = said(await World(erase(), *targets).turns())
    assert phase == "Failed"
    assert told in message


async def test_erase_on_a_tenant_made_anew_fails() -> None:
    world = World(erase(), tenant())
    await world.turn()
    world.put(tenant("uid-2"))
    assert said(await world.turns())[0] == "Failed"


async def test_erase_waits_while_the_tenant_is_suspended() -> None:
    assert said(await World(erase(), tenant(suspend=True)).turns())[:2] == ("Waiting", "Suspended")
