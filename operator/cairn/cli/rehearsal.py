# SPDX-License-Identifier: Apache-2.0
"""Follows an object's plans to their end without a cluster: what `cairn render` and `cairn diff` show.

Actions that mint Secrets are carried out in memory. Of the others it is assumed that they succeed: a database has its
tables, the bus its consumer. Nothing is connected to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cairn.api.conditions import Condition
from cairn.api.resources import PUSHSUBSCRIPTION, SECRET, Obj, Ref
from cairn.api.secrets import raw, secret
from cairn.cli.world import RehearsalIo, World
from cairn.engine import render
from cairn.engine.kind import Action, ActionError, Kind, Plan
from cairn.engine.status import status_of

ROUNDS = 12
"""Steps that a plan may take until it asks for nothing new."""
ACCOUNT = "rehearsed"
"""Stands for the public key of the bus's account."""
STANDING: Mapping[str, Any] = {
    "missing": [],
    "drift": [],
    "login": {"ours": True, "password": True},
    "granted": True,
    "tables": [],
}
"""Facts about a subscription's database after its action `schema`, in the form of `cairn.push.facts`."""


@dataclass
class Outcome:
    """The last plan, the Secrets minted on the way (with their keys) and the names of all other deeds."""

    plan: Plan
    minted: dict[Ref, tuple[str, ...]] = field(default_factory=dict)
    deeds: list[str] = field(default_factory=list)

    @property
    def held_up(self) -> Condition | None:
        """Why the plan goes no further, if it holds."""
        return self.plan.conditions[0] if self.plan.hold and self.plan.conditions else None

    @property
    def stalled(self) -> bool:
        return any(condition.type == "Stalled" for condition in self.plan.conditions)


async def rehearse(kind: Kind, obj: Obj, world: World, at: datetime) -> Outcome:
    """Plan again and again until nothing new appears; then once for the time `at`.

    Steps are taken at the present, since what is minted in between is valid from now on.
    """
    outcome = Outcome(Plan())
    if obj["spec"].get("suspend"):
        return outcome
    facts = _first_facts(kind)
    for _ in range(ROUNDS):
        outcome.plan = kind.plan(obj, await world.observe(kind, obj, facts), datetime.now(UTC))
        made = [await world.make(render.finish(child, obj)) for child in outcome.plan.children]
        done = [await _carry_out(action, kind, obj, world, facts, outcome) for action in outcome.plan.actions]
        if not any((*made, *done)):
            break
    outcome.plan = kind.plan(obj, await world.observe(kind, obj, facts), at)
    if not outcome.plan.hold:
        world.replace({**obj, "status": _as_if_ready(obj, outcome.plan, at)})
    return outcome


async def _carry_out(
    action: Action, kind: Kind, obj: Obj, world: World, facts: dict[str, Any], outcome: Outcome
) -> bool:
    """Whether the action changed what the next plan sees."""
    if action.name.startswith("mint"):
        io = RehearsalIo(world, obj)
        try:
            if kind.resource == PUSHSUBSCRIPTION:
                await _mint_push(action, obj, io)
            else:
                await kind.act(action, obj, await world.observe(kind, obj, facts), io)
        except ActionError:
            return False
        outcome.minted |= io.minted
        return bool(io.minted)
    if action.name in outcome.deeds:
        return False
    outcome.deeds.append(action.name)
    if action.name == "schema":
        facts["database"] = {**facts["database"], **STANDING}
    elif action.name == "consumer":
        facts["bus"] = {**facts["bus"], "consumer": {"filterSubjects": action.args["subjects"]}}
    return True


async def _mint_push(action: Action, obj: Obj, io: RehearsalIo) -> None:
    """The worker's Secret, without the account's key that signs the real one: nobody reads what stands in it."""
    namespace, args = obj["metadata"]["namespace"], action.args
    authority = await io.get(Ref(SECRET, namespace, args["authority"])) if args["authority"] else None
    data = {
        "username": args["login"].encode(),
        "password": b"rehearsed",
        "user.creds": b"rehearsed",
        "account": ACCOUNT.encode(),
        "rights": args["rights"].encode(),
        "ca.crt": raw(authority, "ca.crt"),
    }
    await io.create(secret(namespace, args["secret"], {}, data))


def _first_facts(kind: Kind) -> dict[str, Any]:
    """What a probe finds where bus and database answer and nothing was done yet."""
    if kind.resource != PUSHSUBSCRIPTION:
        return {}
    database = {**STANDING, "missing": ["everything"], "granted": False}
    return {"bus": {"account": ACCOUNT, "consumer": None}, "database": database}


def _as_if_ready(obj: Obj, plan: Plan, at: datetime) -> dict[str, Any]:
    """The status that others see: as planned, and Ready; every database that is asked for stands."""
    status = status_of(obj, plan.status, plan.conditions, at)
    conditions = [c for c in status["conditions"] if c["type"] not in ("Ready", "Reconciling")]
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": at.isoformat()}
    databases = {"databases": [entry["name"] for entry in obj["spec"].get("databases", ())]}
    return {**status, **(databases if "databases" in obj["spec"] else {}), "conditions": [*conditions, ready]}
