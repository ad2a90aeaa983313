# SPDX-License-Identifier: Apache-2.0
"""Asks the worker of a PushSubscription in the seller's database, and looks what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from cairn.api.conditions import Reason
from cairn.api.database import pushed_into
from cairn.api.lookup import parsed
from cairn.api.operation import Operation
from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import POD, SECRET, SELLERRDS
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Action, ActionError, Observed
from cairn.operation import pushed
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target
from cairn.sql.push.engine import PushEngine
from cairn.sql.push.engines import engine
from cairn.sql.push.request import Request
from cairn.sql.reach import way_in


async def look(op: Operation, observed: Observed, platform: Platform) -> Mapping[str, Any]:
    """answer: state, counts and message, None before anybody asked. trouble: why it can't be told."""
    try:
        there, target = await _way(op, observed, platform)
        found = await there.answer(target, op.metadata.uid)
    except SqlError as error:
        return {"trouble": error.message}
    except asyncpg.UndefinedTableError:
        return {"trouble": "it is being brought up to date"}
    except asyncpg.PostgresError as error:
        return {"trouble": str(error) or type(error).__name__}
    if found is None:
        return {"answer": None}
    return {"answer": {"state": found.state, "counts": dict(found.counts), "message": found.message}}


async def act(action: Action, op: Operation, observed: Observed, platform: Platform) -> None:
    """Raises ActionError."""
    try:
        there, target = await _way(op, observed, platform)
        if action.name == "withdraw":
            await there.withdraw(target, op.metadata.uid)
            return
        push = pushed.subscription(op, observed)
        if isinstance(push, PushSubscription):
            request = Request(op.metadata.uid, op.spec.action, pushed.asked(op, push))
            await there.submit(target, f"{push.metadata.namespace}/{push.metadata.name}", request)
    except SqlError as error:
        raise ActionError(error.reason, error.message) from error
    except asyncpg.PostgresError as error:
        raise ActionError(Reason.ACTION_FAILED, f"{action.name}: {error}") from error


async def _way(op: Operation, observed: Observed, platform: Platform) -> tuple[PushEngine, Target]:
    """The operator's way into the subscription's database. SqlError says why there is none."""
    namespace, push = op.metadata.namespace, pushed.subscription(op, observed)
    if not isinstance(push, PushSubscription):
        raise SqlError(Reason.DATABASE_NOT_READY, push.message)
    name = push.spec.database_ref.name
    live = observed.ref(SELLERRDS, name, namespace)
    rds = parsed(SellerRDS, live) if live else None
    if not isinstance(rds, SellerRDS):
        raise SqlError(Reason.DATABASE_NOT_READY, f"SellerRDS {name} does not exist, or can't be read")
    pod, denied = observed.ref(POD, f"{name}-0", namespace), platform.external_databases.denied_networks
    database, target = pushed_into(rds, push.spec.database_name), None
    if database is not None:
        target = await way_in(rds, lambda secret: observed.ref(SECRET, secret, namespace), pod, denied, database)
    if target is None:
        raise SqlError(Reason.DATABASE_NOT_READY, f"SellerRDS {name} is not ready")
    return engine(rds.spec.engine), target
