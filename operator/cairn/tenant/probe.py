# SPDX-License-Identifier: Apache-2.0
"""Looks at a shared database: what stands there, who is in it, what was put back lately. Reads only, and only what
belongs to the owner role: nothing of an app's is run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from cairn.api.conditions import Reason
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.platform import Platform
from cairn.engine.kind import Observed
from cairn.sql.errors import SqlError
from cairn.tenant.agreed import agree, passwords
from cairn.tenant.case import case_of, database_of_tenant, older
from cairn.tenant.deletion import nothing
from cairn.tenant.facts import Facts, Repair
from cairn.tenant.share import opened

LATELY = timedelta(hours=1)
"""How long a repair of drift is told of."""
MOST_ROWS = 500
LOG = "table audit.log"
OPERATION_UID = re.compile(r"Operation \S+ \(([0-9a-f-]{36})\)")


async def probe(tenant: IntegrationTenant, observed: Observed, platform: Platform) -> Mapping[str, Any]:
    """The facts that `cairn.tenant.facts` describes; none while there is nobody to ask, or nothing to ask for."""
    if tenant.status.design_id is None:
        return {}
    try:
        return (await _ask(tenant, observed, platform)).as_facts()
    except SqlError as error:
        return Facts(error=(error.reason, error.message)).as_facts()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        message = f"the database broke off: {str(error) or type(error).__name__}"
        return Facts(error=(Reason.DATABASE_UNREACHABLE, message)).as_facts()


async def _ask(tenant: IntegrationTenant, observed: Observed, platform: Platform) -> Facts:
    database = database_of_tenant(tenant, observed)
    if isinstance(database, tuple) or older(tenant, observed):
        return Facts()
    # What is looked at depends on no moment: what should stand is the plan's to say.
    going = bool(tenant.metadata.deletion_timestamp)
    case = None if going else case_of(tenant, observed, datetime.now(UTC), platform)
    if isinstance(case, tuple):
        return Facts()
    agreed = agree(case) if case else None
    design, known = (agreed.design, passwords(case, agreed)) if case and agreed else (nothing(tenant), {})
    async with opened(database, observed, platform, statement_seconds=4) as share:
        if share is None:
            return Facts()
        observation = await share.observe(design, known)
        if LOG not in observation.state.objects:
            return Facts(observation)
        since = (observation.at or datetime.now(UTC)) - LATELY
        rows = await share.audit(design, since, MOST_ROWS)
        told = frozenset((str(row["action"]), str(row["subject"]), str(row["reason"])) for row in rows)
        return Facts(observation, _repair(rows), _erased(rows), told)


def _erased(rows: Iterable[Mapping[str, object]]) -> frozenset[str]:
    """Operations, by uid, whose deed stands in the audit."""
    reasons = (str(row["reason"]) for row in rows if row["action"] == "erase")
    return frozenset(found[1] for reason in reasons if (found := OPERATION_UID.search(reason)))


def _repair(rows: Iterable[Mapping[str, object]]) -> Repair | None:
    found = [row for row in rows if row["action"] == "repair"]
    at = [moment for row in found if isinstance(moment := row["at"], datetime)]
    if not at:
        return None
    return Repair(max(at), len(found), tuple(sorted({str(row["subject"]) for row in found})))
