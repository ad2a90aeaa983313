# SPDX-License-Identifier: Apache-2.0
"""A worker in the platform's pool: how it gets there and away again, one step at a time, and what a freeze holds up."""

from __future__ import annotations

import copy
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import Any

from cairn.api.conditions import Reason
from cairn.api.resources import LEASE, POD, SECRET, Obj, Ref
from cairn.engine.kind import Action, Plan
from cairn.pool import leases
from cairn.pool.assign import Claim
from cairn.pool.pace import Pace, notes
from cairn.push import objects, shared
from cairn.worker.config import WorkerConfig
from unit.push import test_plan as world
from unit.push.lived import DEPLOYED, Life, plan_of, promotion

NOW = world.NOW
NAME = f"{world.NAMESPACE}--orders"
LEASED, HELD = shared.refs("cairn-push", NAME)
MI = 1024 * 1024


class Moving(Life):
    """With a pool of one member, `member`, who answers when `turn` is called."""

    def __init__(self, worker: str = "Shared", **spec: Any) -> None:
        self.plan = plan_of("push.small", "100m", "256Mi")
        super().__init__(world.push(planRef={"name": "push.small"}, **spec), [])
        self.plan["spec"]["push"] = {"worker": worker}
        self.refs.append(self.plan)
        self.pool: dict[Ref, Obj] = {}
        self.running = False
        self.most = 0
        """Workers at a time."""

    def observed(self) -> Any:
        found = super().observed()
        refs = dict(found.refs) | dict(self.pool)
        return type(found)(children=found.children, refs=refs, facts=found.facts)

    def once(self) -> Plan:
        """One pass: children are applied, what the plan left out is pruned, deeds are done."""
        plan = world.KIND.plan(self.obj, self.observed(), NOW)
        for child in plan.children:
            self._apply(child.obj)
        names = {child.obj["kind"] for child in plan.children}
        if not plan.hold and "Deployment" not in names and DEPLOYED in self.children:
            del self.children[DEPLOYED]
        for action in plan.actions:
            self._act(action)
        self.most = max(self.most, self.running + (self.pod is not None))
        return plan

    def ended(self) -> None:
        """The pod of a Deployment that is gone ends."""
        if DEPLOYED not in self.children:
            for ref in [ref for ref in self.children if ref.resource == POD]:
                del self.children[ref]

    def turn(self) -> None:
        if (lease := self.pool.get(LEASED)) is None:
            return
        slot = leases.slot(lease)
        if slot.wanted and HELD in self.pool:
            self.pool[LEASED] = leases.held(lease, "member", NOW, {leases.READY: "true"})
            self.running = True
        elif not slot.wanted:
            self.pool[LEASED], self.running = leases.given_up(lease), False
        self.most = max(self.most, self.running + (self.pod is not None))

    def live(self, rounds: int = 6) -> Plan:
        for _ in range(rounds):
            plan = self.once()
            self.ended()
            self.turn()
        return plan

    def _act(self, action: Action) -> None:
        self.done.append(action.name)
        args = action.args
        if action.name == "lend":
            data = {"password": b64encode(b"x").decode(), "worker.json": b64encode(args["settings"].encode()).decode()}
            self.pool[HELD] = {"kind": "Secret", "metadata": {"name": NAME}, "data": data}
        if action.name in ("lend", "reserve"):
            self.pool.setdefault(LEASED, leases.subscription("cairn-push", NAME, {}))
            self.pool[LEASED]["metadata"]["annotations"] |= args["notes"]
        elif action.name == "halt":
            self.pool[LEASED]["metadata"]["annotations"][leases.WANTED] = "false"
        elif action.name == "withdraw":
            assert not self.running
            self.pool.clear()
        elif action.name == "consumer":
            self.consumed = list(args["subjects"])


def settings(life: Moving) -> WorkerConfig:
    return WorkerConfig.model_validate_json(b64decode(life.pool[HELD]["data"]["worker.json"]))


def test_subscription_of_a_shared_plan_runs_in_the_pool_and_has_no_pod() -> None:
    life = Moving()
    plan = life.live()
    assert life.done == ["lend"]
    assert world.shown(plan) == [("Ready", True, Reason.READY)]
    assert plan.status["worker"] == {"ready": True, "restarts": 0, "member": "member"}
    assert world.kinds(plan) == ["NetworkPolicy"]
    spec = world.child(plan, "NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["podSelector"]["matchLabels"]["app.kubernetes.io/instance"] == "shop-db"
    told = settings(life)
    assert str(told.bus.creds_file) == "user.creds"
    assert told.budget_bytes == 32 * MI
    assert leases.slot(life.pool[LEASED]).claim == Claim(100, 256 * MI)


def test_subscription_moves_into_the_pool_and_out_again_with_one_worker_at_a_time() -> None:
    life = Moving("Own")
    assert world.shown(life.live()) == [("Ready", True, Reason.READY)]
    assert life.pod
    assert not life.pool
    life.plan["spec"]["push"] = {"worker": "Shared"}
    moving = life.once()
    assert "moves into the pool" in moving.conditions[0].message
    assert not life.pool, "its pod has not ended yet"
    assert world.kinds(moving) == ["NetworkPolicy"]
    assert world.child(moving, "NetworkPolicy")["spec"]["egress"], "what it still has in hand must reach the database"
    assert world.shown(life.live()) == [("Ready", True, Reason.READY)]
    assert life.running
    assert not life.pod
    del life.plan["spec"]["push"]
    leaving = life.once()
    assert life.done[-1] == "halt"
    assert world.child(leaving, "NetworkPolicy")["spec"]["policyTypes"] == ["Ingress"]
    assert world.shown(life.live()) == [("Ready", True, Reason.READY)]
    assert life.done == ["lend", "halt", "withdraw"]
    assert life.pod
    assert life.most == 1


def test_nobody_who_takes_it_is_told_and_waits() -> None:
    life = Moving()
    for _ in range(3):
        plan = life.once()
    assert world.shown(plan)[0][2] is Reason.WAITING
    assert "room" in plan.conditions[0].message
    assert plan.next == NOW + shared.SOON


def test_what_keeps_a_worker_of_the_pool_late_is_said_while_it_does() -> None:
    life = Moving()
    life.live()
    life.pool[LEASED]["metadata"]["annotations"] |= notes(NAME, {NAME: Pace(600, 0.9, 0.1)}, 1000)
    assert world.shown(life.once())[1:] == [("Behind", True, Reason.DATABASE_BOUND)]
    life.pool[LEASED]["metadata"]["annotations"] |= notes(NAME, {NAME: Pace(600, 0.9, 0.1), "b": Pace(cpu=1.0)}, 1000)
    assert world.shown(life.once())[1:] == [("Behind", True, Reason.POOL_BOUND)]
    life.pool[LEASED]["metadata"]["annotations"] |= notes(NAME, {NAME: Pace(60, 0.9, 0.1)}, 1000)
    assert world.shown(life.once())[1:] == []


def test_who_reserves_more_than_any_member_has_is_told_so() -> None:
    life = Moving()
    life.plan["spec"]["size"] |= {"cpu": "1500m"}
    for _ in range(3):
        plan = life.once()
    assert world.shown(plan)[0][2] is Reason.WAITING
    assert "reserves cpu 1500m and memory 256Mi, and a member of the pool has cpu 1000m" in plan.conditions[0].message


def test_dead_members_lease_is_free_when_its_time_is_up() -> None:
    life = Moving()
    life.live()
    late = world.KIND.plan(life.obj, life.observed(), NOW + timedelta(minutes=1))
    assert world.shown(late)[0][2] is Reason.WAITING


def test_changed_settings_and_paused_reach_the_pool() -> None:
    life = Moving()
    life.live()
    before = leases.slot(life.pool[LEASED]).config
    life.obj["spec"]["datasets"] = ["trades"]
    life.live()
    assert leases.slot(life.pool[LEASED]).config != before
    assert [one.name for one in settings(life).datasets] == ["trades"]
    life.obj["spec"]["paused"] = True
    plan = life.live()
    assert world.shown(plan)[0] == ("Ready", True, Reason.PAUSED)
    assert not life.running
    assert plan.next is None or plan.next > NOW + shared.SOON
    life.obj["spec"]["paused"] = False
    assert world.shown(life.live())[0] == ("Ready", True, Reason.READY)


def test_secret_that_vanished_from_the_pool_is_put_there_again() -> None:
    life = Moving()
    life.live()
    del life.pool[HELD]
    life.live()
    assert life.done == ["lend", "lend"]
    assert world.shown(life.live())[0] == ("Ready", True, Reason.READY)


def test_shop_that_is_the_sellers_no_more_ends_the_worker_in_the_pool() -> None:
    life = Moving()
    life.live()
    life.obj["spec"]["shops"] = ["99999"]
    plan = life.live()
    assert world.shown(plan)[1] == ("Stalled", True, Reason.NOT_YOUR_SHOP)
    assert not life.running
    assert not life.pool


def test_deletion_leaves_the_pool_before_the_place_on_the_bus_goes() -> None:
    life = Moving()
    life.live()
    life.obj["metadata"]["deletionTimestamp"] = "2026-11-22T11:59:00Z"
    for _ in range(2):
        plan = life.once()
        assert not plan.released
        life.turn()
    life.once()
    assert life.done == ["lend", "halt", "withdraw", "forget-consumer", "drop-login"]


def test_freeze_moves_nothing_and_a_promotion_reserves_more() -> None:
    life = Moving(promotions=[{"name": "double-11", "planRef": {"name": "push.large"}}])
    life.refs.append(plan_of("push.large", "1", "512Mi", rank=2))
    life.live()
    life.refs.append(promotion(NOW, freeze=True))
    plan = life.live()
    assert leases.slot(life.pool[LEASED]).claim == Claim(1000, 512 * MI)
    assert life.done == ["lend", "reserve"]
    life.obj["spec"]["datasets"] = ["trades"]
    life.plan["spec"]["push"]["worker"] = "Own"
    plan = life.live()
    assert life.done == ["lend", "reserve"]
    assert life.running
    waits = next(one.message for one in plan.conditions if one.reason is Reason.FROZEN)
    assert "out of the pool" in waits
    assert "other settings" in waits


def test_own_worker_stays_in_a_freeze_that_its_plan_left() -> None:
    life = Moving("Own", promotions=[{"name": "double-11"}])
    life.live()
    life.refs.append(promotion(NOW, freeze=True))
    life.plan["spec"]["push"]["worker"] = "Shared"
    plan = life.live()
    assert life.pod
    assert not life.pool
    assert any("into the pool" in one.message for one in plan.conditions)


def test_budget_follows_the_size_within_bounds() -> None:
    assert shared.budget(("1", "64Mi")) == 4 * MI
    assert shared.budget(("1", "160Mi")) == 16 * MI
    assert shared.budget(("1", "4Gi")) == 32 * MI


def test_kind_looks_at_its_place_in_the_pool_wherever_the_worker_is() -> None:
    wants = set(world.KIND.wants(world.push(), world.seen()))
    assert {Ref(LEASE, "cairn-push", NAME), Ref(SECRET, "cairn-push", NAME)} <= wants


def test_own_workers_settings_are_what_they_were() -> None:
    life = Moving("Own")
    copied = copy.deepcopy(life.live())
    text = world.child(copied, "ConfigMap")["data"][objects.CONFIG_FILE]
    assert "budgetBytes" not in text
    assert f"{objects.SECRET}/user.creds" in text
