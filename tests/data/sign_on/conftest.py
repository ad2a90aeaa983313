# SPDX-License-Identifier: Apache-2.0
"""A seller's database with two apps in it, each with a login and a view of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import pytest_asyncio

from cairn.sql.postgresql import Connection, Target
from cairn.sql.roles import ensure_role
from data.sign_on.apps import Mounted

SELLER = "2088"
Bind = Callable[..., Mounted]


@pytest_asyncio.fixture
async def shared(conn: Connection, database: Target) -> None:
    """What Cairn makes of two grants, as far as an app sees it."""
    for party, row in (("crm", "'T1' AS tid, '138****1234' AS mobile"), ("erp", "'T1' AS tid, 99.5 AS payment")):
        for login in ("a", "b"):
            role = f"{database.database}{party}{login}"
            await ensure_role(conn, role, password=f"{party}-{login}")
            await conn.execute(f"GRANT CONNECT ON DATABASE {database.database} TO {role}")
        logins = f"{database.database}{party}a, {database.database}{party}b"
        await conn.execute(f"CREATE SCHEMA s{party}; CREATE VIEW s{party}.trade AS SELECT {row}")
        await conn.execute(f"GRANT USAGE ON SCHEMA s{party} TO {logins}; GRANT SELECT ON s{party}.trade TO {logins}")


@pytest.fixture
def bind(shared: None, database: Target, tmp_path: Path) -> Bind:
    """The Secret `cairn-db` of one app, mounted."""

    def made(party: str, issuer: str, role_claim: str = "cairn_role") -> Mounted:
        keys = {
            "type": "postgresql",
            "provider": "cairn",
            "host": database.address or database.host,
            "port": str(database.port),
            "username": f"{database.database}{party}a",
            "password": f"{party}-a",
            "database": database.database,
            "ca.crt": (database.ca or b"").decode(),
            "share-schema": f"s{party}",
            "oidc-issuer": issuer,
            "oidc-client-id": f"cairn-{SELLER}-{party}",
            "oidc-role-claim": role_claim,
            "oidc-group-prefix": f"cairn:{SELLER}:",
        }
        return Mounted(tmp_path / party, keys)

    return made
