# SPDX-License-Identifier: Apache-2.0
"""Make it so: one pass, from a look to a look. It may break anywhere, and the next one goes on from what it finds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pymysql

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.share.applied import Applied
from cairn.sql.share.engine import Outcome, Record, Why
from cairn.sql.share.model import Design
from cairn.sql.share.mysql import steps
from cairn.sql.share.mysql.audit import append, exclusively
from cairn.sql.share.mysql.connection import Session
from cairn.sql.share.mysql.desired import desired
from cairn.sql.share.mysql.names import literal, qualified
from cairn.sql.share.mysql.observe import Facts, look, shown_digest, shown_text, verifiers
from cairn.sql.share.mysql.steps import Case, Step
from cairn.sql.share.mysql.tables import digest, table_name, table_sql
from cairn.sql.share.postgresql.desired import available, current
from cairn.sql.share.records import Account, Words, line, told
from cairn.sql.share.state import Difference, State, difference

GONE_WITHIN = 5.0
"""Seconds for sessions to end once they were told to."""
WORDS = Words("table ", lambda login: f"account {login}@%")
_LOST = {2006, 2013, 2055, 4031}


async def settle(session: Session, design: Design, why: Why, passwords: Mapping[str, str]) -> Outcome:
    async with exclusively(session):
        return await _Pass(session, why).run(design, passwords)


class _Pass:
    def __init__(self, session: Session, why: Why) -> None:
        self.session, self.why = session, why
        self.statements = self.ended = 0
        self.problems: list[str] = []
        self.records: list[Record] = []

    async def run(self, design: Design, passwords: Mapping[str, str]) -> Outcome:
        facts = await look(self.session, design)
        there, lacking = available(design, facts.datasets)
        design = current(there, facts.clock, facts.ended)
        case = self._case(design, facts, passwords)
        stray = steps.due(case) & {session.login for session in facts.sessions}
        if case.diff or case.verifiers or stray or not design.ended <= facts.ended:
            await self._change(case)
            facts = await look(self.session, design)
        if lacking:
            self.problems.append(f"nothing is pushed yet as {', '.join(f'platform.{name}' for name in lacking)}")
        return await self._verified(design, facts)

    def _case(self, design: Design, facts: Facts, passwords: Mapping[str, str]) -> Case:
        flavour = self.session.flavour
        wanted = desired(design, flavour)
        opening = verifiers(facts, passwords)
        fresh = {name: steps.verifier(passwords[name], flavour) for name, opens in opening.items() if not opens}
        return Case(design, flavour, wanted, facts, difference(wanted, facts.state), fresh)

    async def _change(self, case: Case) -> None:
        account = Account(case.design, case.wanted, case.facts.state, case.diff, case.facts.applied, self.why, WORDS)
        await self._run(steps.ground(case))
        await self._send("UPDATE map.clock SET seen = GREATEST(seen, UNIX_TIMESTAMP(SYSDATE(6))) WHERE id = 1")
        before = {name[5:]: made.grant for name, made in case.facts.made.items() if name.startswith("view ")}
        await self._record(account.takings(case.design.ended - case.facts.ended, before, case.design.ended))
        due = steps.due(case) | case.facts.due
        for login in sorted(due - case.facts.due):
            await self._send(f"INSERT IGNORE INTO map.due VALUES ({literal(login)})")
        await self._run(steps.takings(case))
        await self._end(case, due)
        await self._run(steps.remakings(case))
        await self._record(account.givings(case.verifiers))
        await self._run(steps.keys(case))
        for party in case.design.parties:
            await self._run(steps.made(case, party))
        await self._mend(case)
        for party in case.design.parties:
            await self._run(steps.shown(case, party))
            await self._run(steps.opened(case, party))

    async def _mend(self, case: Case) -> None:
        """Published tables keep their rows: what their contract has more is added, anything else is told."""
        for table in case.design.tables:
            name = table_name(table)
            if f"table {name}" not in case.diff.other:
                continue
            columns = await self.session.fetch(f"SHOW COLUMNS FROM {qualified(*name.split('.'))}")
            more = steps.widened(table, [str(column[0]) for column in columns])
            await self._run([Step(sql) for sql in (*more, *steps.scratch(table))])
            wanted = await shown_text(self.session, "table", steps.SCRATCH)
            found = await shown_text(self.session, "table", name)
            await self._send(f"DROP TABLE {steps.SCRATCH}")
            if wanted.partition("(")[2] == found.partition("(")[2]:
                await self._note(Step("", f"table {name}", digest(table_sql(table))))

    async def _verified(self, design: Design, facts: Facts) -> Outcome:
        wanted = desired(design, self.session.flavour)
        left = difference(wanted, facts.state)
        enabled = {login.name for party in design.parties for login in party.logins if login.enabled}
        inside = sorted({s.login for s in facts.sessions if s.login.startswith("u")} - enabled)
        problems = [*self.problems, *_told(left, facts.state)]
        problems += [f"a session of {login} has not ended" for login in inside]
        if not problems and facts.applied != Applied.of(wanted):
            text = literal(Applied.of(wanted).text())
            await self._send(f"REPLACE INTO map.applied VALUES (1, {text})")
        return Outcome(
            statements=self.statements,
            ended=self.ended,
            verified=not problems,
            at=facts.clock,
            problem="; ".join(problems[:5]),
            records=tuple(self.records),
        )

    async def _run(self, planned: Iterable[Step]) -> None:
        """One after the other. What fails is told, and the rest goes on: it may be another party's."""
        for step in planned:
            try:
                await self._send(step.sql)
                if step.makes:
                    await self._note(step)
            except pymysql.err.MySQLError as error:
                if error.args and error.args[0] in _LOST:
                    raise SqlError(Reason.DATABASE_UNREACHABLE, str(error.args[-1])) from error
                text = str(error.args[-1]) if error.args else str(error)
                self.problems.append(f"{' '.join(step.sql.split(' ')[:6])}…: {text}")
                if step.otherwise:
                    await self._send(step.otherwise)

    async def _note(self, step: Step) -> None:
        kind, _, name = step.makes.partition(" ")
        shown = await shown_digest(self.session, kind, name)
        values = ", ".join(literal(value) for value in (step.makes, step.wanted, shown, step.grant))
        await self._send(f"REPLACE INTO map.made (object, wanted, found, grantkey) VALUES ({values})")

    async def _send(self, sql: str) -> None:
        self.statements += 1
        await self.session.execute(sql)

    async def _record(self, records: Iterable[Record]) -> None:
        new = list(records)
        self.records += new
        if new:
            self.statements += len(new)
            await append(self.session, self.why.tenant, new)

    async def _end(self, case: Case, due: set[str] | frozenset[str]) -> None:
        """Sessions that began before the rights went. Whoever is still let in may open new ones meanwhile."""
        enabled = {login.name for party in case.design.parties for login in party.logins if login.enabled}
        told: set[str] = set()
        first = True
        deadline = asyncio.get_running_loop().time() + GONE_WITHIN
        while True:
            rows = [(str(row[0]), str(row[1])) for row in await self.session.fetch("SHOW FULL PROCESSLIST")]
            inside = {
                number for number, user in rows if user in due and (first or number in told or user not in enabled)
            }
            for number in sorted(inside - told):
                await self._run_kill(number)
            told |= inside
            first = False
            if not inside:
                break
            if asyncio.get_running_loop().time() > deadline:
                self.problems.append(f"sessions {', '.join(sorted(inside))} have not ended")
                return
            await asyncio.sleep(0.02)
        self.ended += len(told)
        if due:
            await self._send(
                f"DELETE FROM map.due WHERE login IN ({', '.join(literal(login) for login in sorted(due))})"
            )

    async def _run_kill(self, number: str) -> None:
        try:
            await self._send(f"KILL CONNECTION {int(number)}")
        except pymysql.err.MySQLError as error:
            if not error.args or error.args[0] != 1094:  # no such session any more
                raise


def _told(left: Difference, found: State) -> list[str]:
    """With what is not taken since it may be others'."""
    theirs = frozenset(entry for entry in left.surplus if not steps.mendable(entry))
    return [
        f"{line(entry)} reaches into shared databases and others: REVOKE it, and grant by database name"
        for entry in sorted(theirs)
    ] + told(replace(left, surplus=left.surplus - theirs), found)
