# SPDX-License-Identifier: Apache-2.0
"""The Share protocol for PostgreSQL, at one open connection of the operator's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.logins import passwords_open
from cairn.sql.postgresql import Connection, Target
from cairn.sql.roles import scram_verifier
from cairn.sql.share.engine import Outcome, Record, Why
from cairn.sql.share.model import Design
from cairn.sql.share.names import own_role
from cairn.sql.share.postgresql import counts, erase
from cairn.sql.share.postgresql.audit import insert_sql, read
from cairn.sql.share.postgresql.desired import desired
from cairn.sql.share.postgresql.observe import look
from cairn.sql.share.postgresql.settle import Settling, only_writer
from cairn.sql.share.state import Observation, State


class PostgreSQLShare:
    """target: how this connection was made; needed only where its login is no superuser, to try passwords."""

    def __init__(self, conn: Connection, target: Target) -> None:
        self._conn, self._target = conn, target

    def desired(self, design: Design) -> State:
        return desired(design)

    async def observe(self, design: Design, passwords: Mapping[str, str]) -> Observation:
        facts = await look(self._conn, design)
        return Observation(
            facts.state,
            facts.sessions,
            facts.ended,
            await self._open(passwords),
            await counts.publications(self._conn, design, facts),
            facts.clock,
            facts.datasets,
        )

    async def settle(self, design: Design, why: Why, passwords: Mapping[str, str]) -> Outcome:
        async with only_writer(self._conn):
            opens = await self._open(passwords)
            closed = {login for login, fits in opens.items() if not fits}
            verifiers = {login: scram_verifier(password) for login, password in passwords.items() if login in closed}
            return await Settling(self._conn, design, why, verifiers).run()

    async def erase(self, design: Design, shop: str, ouid: str, why: Why) -> None:
        conn = self._conn
        async with only_writer(conn):
            facts = await look(conn, design)
            if "table map.erased" not in facts.state.objects or ("erased",) not in facts.state.rows["map.key"]:
                raise SqlError(Reason.DATABASE_NOT_READY, "sharing is not set up in this database yet")
            async with conn.transaction():
                await conn.execute(f"SET LOCAL ROLE {own_role(design.id)}")
                done = await conn.execute(erase.BUYER, shop, ouid)
                if done != "INSERT 0 0":
                    reason = "a buyer is left out of every view"
                    await conn.execute(insert_sql(why.tenant, [Record("erase", why.actor, f"shop {shop}", reason)]))
            logins = sorted({name for members in facts.members.values() for name in members})
            await conn.fetch(erase.READERS, logins)

    async def record(self, design: Design, tenant: str, records: Sequence[Record]) -> None:
        if records:
            async with only_writer(self._conn), self._conn.transaction():
                await self._conn.execute(f"SET LOCAL ROLE {own_role(design.id)}")
                await self._conn.execute(insert_sql(tenant, records))

    async def audit(
        self, design: Design, since: datetime | None = None, limit: int = 1000
    ) -> list[Mapping[str, object]]:
        async with self._conn.transaction(readonly=True):
            await self._conn.execute(f"SET LOCAL ROLE {own_role(design.id)}")
            return await read(self._conn, since, limit)

    async def _open(self, passwords: Mapping[str, str]) -> dict[str, bool]:
        tried = {login: (password, self._target.database) for login, password in passwords.items()}
        return await passwords_open(self._conn, self._target, tried) if tried else {}
