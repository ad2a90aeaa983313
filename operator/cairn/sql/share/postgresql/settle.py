# SPDX-License-Identifier: Apache-2.0
"""Sends what `steps` says. One writer at a time; killed anywhere and called again, it arrives at the same place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import asyncpg

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.locks import end_holders, forget_prepared
from cairn.sql.postgresql import Connection
from cairn.sql.quoting import identifier, literal
from cairn.sql.share.engine import Outcome, Record, Why
from cairn.sql.share.model import Design
from cairn.sql.share.names import APPS, own_role
from cairn.sql.share.postgresql import catalog
from cairn.sql.share.postgresql.audit import insert_sql
from cairn.sql.share.postgresql.case import Batch, Case
from cairn.sql.share.postgresql.desired import available, current, describe, desired
from cairn.sql.share.postgresql.facts import Applied, Facts
from cairn.sql.share.postgresql.ground import ground_of
from cairn.sql.share.postgresql.making import keep_out
from cairn.sql.share.postgresql.observe import clear_way, look
from cairn.sql.share.postgresql.steps import giving, taking, undoing
from cairn.sql.share.postgresql.views import full_name
from cairn.sql.share.state import Difference, Session, State, difference

LOCK = (0x6361697, 0x73686172)
"""Of the one writer; per database."""
ROUNDS = 4
"""The ground comes first; what a cascade took along is made again in the round after."""
TIMEOUT = Reason.LOCK_TIMEOUT.value
LOST = (asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError, OSError)
"""The connection is gone: nothing more can be done or undone here."""


@dataclass(slots=True)
class Settling:
    """One `settle` of one design at one connection."""

    conn: Connection
    design: Design
    why: Why
    verifiers: Mapping[str, str]
    sent: int = 0
    ended: int = 0
    problems: list[str] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)

    async def run(self) -> Outcome:
        facts = await look(self.conn, self.design)
        for _ in range(ROUNDS):
            design, wanted, diff = self._case(facts)
            if not diff and not self._uninvited(facts) and not self.verifiers and design.ended <= facts.ended:
                break
            self.problems.clear()
            more = await self._round(design, wanted, facts, diff)
            facts = await look(self.conn, self.design)
            if not more:
                break
        design, wanted, diff = self._case(facts)
        if not diff:
            await self._remember(design, wanted, facts)
        if rest := [*said(diff), *self._uninvited(facts)]:
            self.problems.append("still otherwise: " + "; ".join(rest[:5]))
        if lacking := available(self.design, facts.datasets)[1]:
            self.problems.append(f"nothing is pushed yet as {', '.join(f'platform.{name}' for name in lacking)}")
        problem = cut("; ".join(dict.fromkeys(self.problems)))
        return Outcome(self.sent, self.ended, not problem, facts.clock, problem, tuple(self.records))

    def _case(self, facts: Facts) -> tuple[Design, State, Difference]:
        there, _ = available(self.design, facts.datasets)
        design = current(there, facts.clock, facts.ended)
        wanted = desired(design)
        return design, wanted, difference(wanted, facts.state)

    async def _round(self, design: Design, wanted: State, facts: Facts, diff: Difference) -> bool:
        """Whether it is worth another look."""
        # What stands with an option too much stands without it once that is gone.
        kept = {replace(entry, grantable=False) for entry in diff.surplus if entry.grantable}
        diff = replace(diff, missing=diff.missing - kept)
        case = Case(design, wanted, facts, diff, self.why, self.verifiers)
        if ground := ground_of(case):
            return await self._send(ground)
        due = set(facts.due) | {session.login for session in self._uninvited_sessions(facts)}
        for batch in taking(case):
            await self._send(batch)
            due |= batch.due
        due -= await self._end(due)
        lost: set[str] = set()
        for batch in undoing(case):
            await self._send(batch)
            lost |= batch.due
        await self._end(lost)
        for batch in giving(case):
            if not await self._send(batch) and batch.shut and self.problems[-1].startswith(TIMEOUT):
                await self._insist(batch)
        self.verifiers = {}
        return not self.problems

    async def _insist(self, batch: Batch) -> None:
        """A party that holds up what takes something from it is kept out meanwhile: the next round lets it in again."""
        if await self._send(keep_out(batch)):
            await self._end(batch.shut)
            self.problems.pop()
            await self._send(batch)

    async def _send(self, batch: Batch) -> bool:
        """The batch in one transaction. False where the server refused: nothing of it stands then."""
        try:
            try:
                await self._transaction(batch)
            except asyncpg.LockNotAvailableError:
                if not await clear_way(self.conn):
                    raise
                await self._transaction(batch)
        except LOST:
            raise
        except asyncpg.LockNotAvailableError:
            self.problems.append(f"{TIMEOUT}: {batch.title}: somebody reads or writes what must change")
            return False
        except asyncpg.PostgresError as error:
            self.problems.append(f"{batch.title}: {error}")
            return False
        return True

    async def _transaction(self, batch: Batch) -> None:
        conn, own, role = self.conn, own_role(self.design.id), ""
        await conn.execute("BEGIN")
        try:
            for step in batch.steps:
                if step.role != role:
                    await conn.execute(f"SET LOCAL ROLE {identifier(step.role) if step.role else 'NONE'}")
                    role = step.role
                await conn.execute(step.sql)
                self.sent += 1
            if batch.records or batch.due:
                await conn.execute(f"SET LOCAL ROLE {own}")
            if batch.due:
                logins = ", ".join(f"({literal(login)})" for login in sorted(batch.due))
                await conn.execute(f"INSERT INTO map.due VALUES {logins} ON CONFLICT DO NOTHING")
            if batch.records:
                await conn.execute(insert_sql(self.why.tenant, batch.records))
            await conn.execute("COMMIT")
        except BaseException:
            if not conn.is_closed():
                await conn.execute("ROLLBACK")
            raise
        self.records += batch.records

    async def _end(self, due: Iterable[str]) -> set[str]:
        """End the sessions of these logins. Those that have none any more, and are no longer remembered as due."""
        names = sorted(due)
        if not names:
            return set()
        before = await self.conn.fetch(catalog.SESSIONS, names)
        rows = await self.conn.fetch(catalog.END, names)
        self.ended += len(rows)
        await self._end_prepared(names)
        open_still = await self.conn.fetch(catalog.SESSIONS, names)
        old = {(row["pid"], row["backend_start"]) for row in before}
        staying = {row["usename"] for row in open_still if (row["pid"], row["backend_start"]) in old}
        gone = set(names) - staying
        await self._quietly(f"DELETE FROM map.due WHERE login IN ({', '.join(map(literal, sorted(gone)))})", gone)
        return gone

    async def _end_prepared(self, names: list[str]) -> None:
        """A prepared transaction holds locks and rights without any session."""
        self.sent += await forget_prepared(self.conn, f"^({'|'.join(names)})$")

    async def _quietly(self, sql: str, rows: Iterable[str]) -> None:
        """Of Cairn's own bookkeeping: no record, no right changes by it."""
        if rows:
            await self.conn.execute("BEGIN")
            await self.conn.execute(f"SET LOCAL ROLE {own_role(self.design.id)}")
            await self.conn.execute(sql)
            await self.conn.execute("COMMIT")
            self.sent += 1

    async def _remember(self, design: Design, wanted: State, facts: Facts) -> None:
        views = {full_name(view): describe(view) for view in design.views}
        keys = {f"key {name}": "" for (name,) in wanted.rows["map.key"]}
        applied = Applied(wanted.entries, {**wanted.objects, **keys}, views)
        if applied != facts.applied:
            text = literal(applied.text())
            sql = (
                f"INSERT INTO map.applied VALUES (true, {text}) ON CONFLICT (one) DO UPDATE SET state = excluded.state"
            )
            await self._quietly(sql, ("applied",))

    def _uninvited_sessions(self, facts: Facts) -> list[Session]:
        """Of logins that may open none, or that are due to be ended."""
        shut = {name for name, opens in facts.roles.items() if not opens}
        return [session for session in facts.sessions if session.login in shut or session.login in facts.due]

    def _uninvited(self, facts: Facts) -> list[str]:
        return [f"a session of {session.login} is open" for session in self._uninvited_sessions(facts)]


def cut(text: str, most: int = 1000) -> str:
    """Names in it may be an app's, who may make them long and many."""
    return text if len(text) <= most else text[: most - 1] + "…"


def said(diff: Difference) -> list[str]:
    """A difference in words."""
    found = [f"{name} is missing" for name in sorted(diff.absent)]
    found += [f"{name} should not be there" for name in sorted(diff.unwanted)]
    found += [f"{name} is made otherwise" for name in sorted(diff.other)]
    found += [f"{e.grantee} has no {e.privilege} on {e.object}" for e in sorted(diff.missing)]
    found += [f"{e.grantee} has {e.privilege} on {e.object}" for e in sorted(diff.surplus)]
    return found + [f"rows of {name}" for name in sorted(diff.rows)]


@asynccontextmanager
async def only_writer(conn: Connection) -> AsyncIterator[None]:
    """SqlError(Conflict) where another writer is at work. An app that holds the lock to keep us out is thrown out."""
    first, second = LOCK
    if not await conn.fetchval(f"SELECT pg_catalog.pg_try_advisory_lock({first}, {second})"):
        await end_holders(conn, first, second)
        await forget_prepared(conn, f"^({APPS.pattern})$")
        try:
            await conn.execute(f"SELECT pg_catalog.pg_advisory_lock({first}, {second})")
        except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError) as error:
            message = "another writer of rights is at work in this database; it is tried again"
            raise SqlError(Reason.CONFLICT, message) from error
    try:
        yield
    finally:
        if not conn.is_closed():
            await conn.execute(f"SELECT pg_catalog.pg_advisory_unlock({first}, {second})")
