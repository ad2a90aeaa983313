# SPDX-License-Identifier: Apache-2.0
"""Make it so: one pass, from a look to a look. It may break anywhere, and the next one goes on from what it finds."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping

from cairn.sql.errors import SqlError
from cairn.sql.share.applied import Applied
from cairn.sql.share.blocking import Blocking
from cairn.sql.share.engine import Outcome, Record, Why
from cairn.sql.share.model import Design
from cairn.sql.share.postgresql.desired import available, current
from cairn.sql.share.records import Account, Words, told
from cairn.sql.share.sqlserver import plan, steps
from cairn.sql.share.sqlserver.audit import append, exclusively
from cairn.sql.share.sqlserver.desired import desired
from cairn.sql.share.sqlserver.observe import Facts, look, sessions, verifiers
from cairn.sql.share.sqlserver.plan import Case, Step
from cairn.sql.share.sqlserver.text import literal
from cairn.sql.share.state import difference

WORDS = Words("object ", lambda login: f"user {login}")
GONE_WITHIN = 5.0
"""Seconds for sessions to end once they were told to: each rolls back what it had begun."""
_NO_SUCH_SESSION = 6106


async def settle(session: Blocking, design: Design, why: Why, passwords: Mapping[str, str]) -> Outcome:
    async with exclusively(session):
        return await _Pass(session, why).run(design, passwords)


class _Pass:
    def __init__(self, session: Blocking, why: Why) -> None:
        self.session, self.why = session, why
        self.statements = self.ended = 0
        self.problems: list[str] = []
        self.records: list[Record] = []

    async def run(self, design: Design, passwords: Mapping[str, str]) -> Outcome:
        facts = await look(self.session, design)
        there, lacking = available(design, facts.datasets)
        design = current(there, facts.clock, facts.ended)
        case = _case(design, facts, passwords)
        stray = plan.due(case) & {session.login for session in facts.sessions}
        if case.diff or case.passwords or stray or not design.ended <= facts.ended:
            await self._change(case)
            facts = await look(self.session, design)
        if lacking:
            self.problems.append(f"nothing is pushed yet as {', '.join(f'platform.{name}' for name in lacking)}")
        return await self._verified(design, facts)

    async def _change(self, case: Case) -> None:
        account = Account(case.design, case.wanted, case.facts.state, case.diff, case.facts.applied, self.why, WORDS)
        await self._run(plan.ground(case))
        await self._send(steps.TICK)
        newly = case.design.ended - case.facts.ended
        await self._record(account.takings(newly, dict(case.facts.grants), case.design.ended))
        noted = {login for (login,) in case.facts.state.rows["map.due"]}
        due = plan.due(case) | noted
        for login in sorted(due - noted):
            await self._send(steps.once("map.due", login=literal(login)))
        await self._run(plan.takings(case))
        await self._end(case, due)
        await self._run(plan.remakings(case))
        await self._record(account.givings(case.passwords))
        await self._run(plan.keys(case))
        for party in case.design.parties:
            await self._run(plan.made(case, party))
        for party in case.design.parties:
            await self._run(plan.shown(case, party))
            await self._run(plan.opened(case, party))

    async def _verified(self, design: Design, facts: Facts) -> Outcome:
        wanted = desired(design)
        enabled = {login.name for party in design.parties for login in party.logins if login.enabled}
        problems = [*self.problems, *told(difference(wanted, facts.state), facts.state)]
        inside = sorted({session.login for session in facts.sessions} - enabled)
        problems += [f"a session of {login} has not ended" for login in inside]
        if not problems and facts.applied != Applied.of(wanted):
            await self._send(steps.KEEP_APPLIED, (Applied.of(wanted).text(),))
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
                await self._send(step.sql, step.parameters)
            except SqlError:
                raise
            except Exception as error:  # the driver's: which one is not known here
                if not hasattr(error, "msg_no"):
                    raise
                self.problems.append(f"{' '.join(step.sql.split(' ')[:6])}…: {error}")
                if step.otherwise:
                    await self._send(step.otherwise)

    async def _send(self, sql: str, parameters: tuple[object, ...] = ()) -> None:
        self.statements += 1
        await self.session.execute(sql, parameters)

    async def _record(self, records: Iterable[Record]) -> None:
        new = list(records)
        self.records += new
        if new:
            self.statements += len(new)
            await append(self.session, self.why.tenant, new)

    async def _end(self, case: Case, due: set[str]) -> None:
        """Sessions that began before the rights went. Whoever is still let in may open new ones meanwhile."""
        killed: set[str] = set()
        first = True
        deadline = asyncio.get_running_loop().time() + GONE_WITHIN
        while due:
            inside = {
                one.id
                for one in await sessions(self.session)
                if one.login in due and (first or one.id in killed or one.login not in case.enabled)
            }
            for number in sorted(inside - killed, key=int):
                await self._kill(number)
            killed |= inside
            first = False
            if not inside:
                break
            if asyncio.get_running_loop().time() > deadline:
                self.problems.append(f"sessions {', '.join(sorted(inside))} have not ended")
                return
            await asyncio.sleep(0.02)
        self.ended += len(killed)
        if due:
            listed = ", ".join(literal(login) for login in sorted(due))
            await self._send(f"DELETE FROM map.due WHERE login IN ({listed})")

    async def _kill(self, number: str) -> None:
        try:
            await self._send(steps.end(number))
        except Exception as error:
            if getattr(error, "msg_no", 0) != _NO_SUCH_SESSION:
                raise


def _case(design: Design, facts: Facts, passwords: Mapping[str, str]) -> Case:
    wanted = desired(design)
    enabled = {login.name for party in design.parties for login in party.logins if login.enabled}
    given = {login: password for login, password in passwords.items() if login in enabled}
    new = {login: given[login] for login, opens in verifiers(facts, given).items() if not opens}
    spare = f"{secrets.token_urlsafe(32)}aA1!"  # which no policy of the server's refuses
    return Case(design, wanted, facts, difference(wanted, facts.state), new, spare)
