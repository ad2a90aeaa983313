# SPDX-License-Identifier: Apache-2.0
"""A look at a MySQL or MariaDB server. Changes nothing, and reads no relation that an app could have made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pymysql

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.share.applied import Applied
from cairn.sql.share.model import Design
from cairn.sql.share.mysql import catalog
from cairn.sql.share.mysql.catalog import Account
from cairn.sql.share.mysql.connection import Session as Connection
from cairn.sql.share.mysql.names import ACCOUNT, DATABASE, qualified
from cairn.sql.share.mysql.passwords import opens
from cairn.sql.share.mysql.tables import digest, own_tables, own_triggers, table_name
from cairn.sql.share.mysql.views import keyed, masters_of, matches
from cairn.sql.share.names import own_role, published
from cairn.sql.share.postgresql.desired import available
from cairn.sql.share.state import Observation, Publication, Session, State

OBJECTS = (
    "SELECT table_schema, table_name, CASE table_type WHEN 'BASE TABLE' THEN 'table' WHEN 'VIEW' THEN 'view'"
    " ELSE LOWER(table_type) END, '' FROM information_schema.tables"
    " UNION ALL SELECT trigger_schema, trigger_name, 'trigger', CONCAT(action_timing, ' ', event_manipulation, ' ',"
    " event_object_table, ' ', action_statement) FROM information_schema.triggers"
    " UNION ALL SELECT routine_schema, routine_name, LOWER(routine_type), '' FROM information_schema.routines"
    " UNION ALL SELECT event_schema, event_name, 'event', '' FROM information_schema.events"
)
DEFINED = (
    "SELECT 'view', table_schema, table_name FROM information_schema.views WHERE definer = %s"
    " UNION ALL SELECT 'trigger', trigger_schema, trigger_name FROM information_schema.triggers WHERE definer = %s"
    " UNION ALL SELECT LOWER(routine_type), routine_schema, routine_name FROM information_schema.routines"
    " WHERE definer = %s"
    " UNION ALL SELECT 'event', event_schema, event_name FROM information_schema.events WHERE definer = %s"
)
"""Whoever may name any definer can make things that act with the owner's rights."""


@dataclass(frozen=True, slots=True)
class Made:
    """What Cairn noted when it made a view or a table. shown: the digest of what the server showed then"""

    wanted: str
    shown: str
    grant: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found. shown: digests of views and tables as the server shows them now"""

    state: State
    sessions: tuple[Session, ...]
    ended: frozenset[str]
    accounts: Mapping[str, Account]
    made: Mapping[str, Made]
    shown: Mapping[str, str]
    clock: datetime
    retired: frozenset[str]
    applied: Applied
    datasets: frozenset[str]

    @property
    def due(self) -> frozenset[str]:
        return frozenset(login for (login,) in self.state.rows["map.due"])


async def look(session: Connection, design: Design) -> Facts:
    names = {str(n): f"{c}" for n, c in await session.fetch(_DATABASES)}
    found = {one.object: one for one in await catalog.accounts(session)}
    await _refuse_others(session, design, found.values())
    objects = {name: one.digest for name, one in found.items()}
    mine = {name for name in names if name in ("map", "audit") or _of(design, name)}
    objects |= {f"database {name}": names[name] for name in mine}
    rows = await _rows(session, names)
    shown = await _shown(session, design, mine)
    for name, now in shown.items():
        noted = rows.made.get(name)
        objects[name] = noted.wanted if noted and noted.shown == now else "not as it was made"
    objects |= await _others(session, design, mine, known=set(shown))
    state = State(
        entries=frozenset(await catalog.entries(session, names, design.readers)),
        objects=objects,
        rows={"map.scope": frozenset(rows.scope), "map.mac": frozenset(rows.mac), "map.due": frozenset(rows.due)},
    )
    return Facts(
        state=state,
        sessions=await sessions(session, found, rows.due),
        ended=frozenset(rows.ended),
        accounts=found,
        made=rows.made,
        shown=shown,
        clock=await _clock(session, objects),
        retired=frozenset(rows.retired),
        applied=Applied.parsed(rows.applied),
        datasets=frozenset(str(name) for (name,) in await session.fetch(_DATASETS)),
    )


async def _refuse_others(session: Connection, design: Design, accounts: Iterable[Account]) -> None:
    """SqlError(Conflict) where the server is shared by another design, or a name of ours is somebody else's."""
    owners = {one.name for one in accounts if one.name.startswith("own")}
    if owners - {own_role(design.id)}:
        message = (
            "this server is already shared by another tenant (its rights are the whole server's): use another server"
        )
        raise SqlError(Reason.CONFLICT, message)
    if owners:
        return
    ours = {*own_tables(), *own_triggers()}
    for database, name, kind, _ in await session.fetch(f"SELECT * FROM ({OBJECTS}) o"):
        if database in ("map", "audit") and f"{database}.{name}" not in ours:
            message = (
                f"database {database} exists with {kind} {name}, and is not Cairn's: rename it, Cairn needs the name"
            )
            raise SqlError(Reason.CONFLICT, message)


_DATASETS = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'platform'"
_DATABASES = "SELECT schema_name, default_character_set_name FROM information_schema.schemata"


def _of(design: Design, name: str) -> bool:
    """Databases of parties; of one that is gone, what it published and its own stay and are not looked at."""
    known = {party.id for party in design.parties}
    return bool(DATABASE.fullmatch(name)) and (name[1:] in known or name[0] == "s")


@dataclass(slots=True)
class _Rows:
    """Cairn's small tables, as far as they are there."""

    scope: list[tuple[str, ...]]
    mac: list[tuple[str, ...]]
    due: list[tuple[str, ...]]
    retired: list[str]
    ended: list[str]
    made: dict[str, Made]
    applied: str


async def _rows(session: Connection, names: Iterable[str]) -> _Rows:
    there = {str(n) for (n,) in await session.fetch(_TABLES_OF_MAP)} if "map" in names else set()

    async def read(table: str, columns: str, where: str = "") -> list[tuple[str, ...]]:
        rows = await session.fetch(f"SELECT {columns} FROM map.{table}{where}") if table in there else []
        return [tuple(str(value) for value in row) for row in rows]

    made = await session.fetch("SELECT object, wanted, found, grantkey FROM map.made") if "made" in there else []
    applied = await read("applied", "state")
    return _Rows(
        scope=await read("scope", "view, shop"),
        mac=await read("mac", "name", " WHERE NOT retired"),
        due=await read("due", "login"),
        retired=[name for (name,) in await read("mac", "name", " WHERE retired")],
        ended=[key for (key,) in await read("ended", "grantkey")],
        made={str(name): Made(str(wanted), str(shown), str(grant)) for name, wanted, shown, grant in made},
        applied=applied[0][0] if applied else "",
    )


_TABLES_OF_MAP = (
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'map' AND table_type = 'BASE TABLE'"
)


async def shown_digest(session: Connection, kind: str, name: str) -> str:
    """How the server shows a view or a table now, without what changes by itself."""
    return digest(await shown_text(session, kind, name))


async def shown_text(session: Connection, kind: str, name: str) -> str:
    database, _, relation = name.partition(".")
    row = (await session.fetch(f"SHOW CREATE {kind.upper()} {qualified(database, relation)}"))[0]
    return re.sub(r" AUTO_INCREMENT=\d+", "", str(row[1])) + "".join(f" {more}" for more in row[2:])


_BROKEN = {1049, 1146, 1356}
"""What a view or table reads is not there any more."""


async def _shown(session: Connection, design: Design, mine: Iterable[str]) -> dict[str, str]:
    """Digests of what Cairn made or would make: views of parties, tables that they publish, its own tables."""
    tables = {table_name(table) for table in design.tables} | own_tables().keys()
    found = {}
    for database, name, kind, _ in await session.fetch(f"SELECT * FROM ({OBJECTS}) o"):
        full = f"{database}.{name}"
        known = (kind == "view" and database[0] == "s") or (kind == "table" and full in tables)
        if database in mine and known:
            try:
                found[f"{kind} {full}"] = await shown_digest(session, kind, full)
            except pymysql.err.MySQLError as error:
                if error.args[0] not in _BROKEN:
                    raise
                found[f"{kind} {full}"] = "broken"
    return found


async def _others(session: Connection, design: Design, mine: set[str], *, known: set[str]) -> dict[str, str]:
    """Everything else in Cairn's databases, and whatever anywhere acts with the owner's rights."""
    objects, own = {}, {name: digest(text) for name, text in own_triggers().items()}
    theirs = {published(party.id) for party in design.parties}
    expected = {_trigger_line(text): name for name, text in own_triggers().items()}
    for database, name, kind, text in await session.fetch(f"SELECT * FROM ({OBJECTS}) o"):
        full = f"{kind} {database}.{name}"
        if database not in mine or database[0] == "w" or full in known:
            continue
        if kind == "table" and database in theirs:
            continue  # of an older contract: it stays, and nobody has a right on it
        if kind == "trigger" and expected.get(text) == f"{database}.{name}":
            objects[full] = own[f"{database}.{name}"]
        else:
            objects[full] = "nobody of Cairn's made it"
    definer = f"{own_role(design.id)}@localhost"
    for kind, database, name in await session.fetch(DEFINED, (definer,) * 4):
        full = f"{kind} {database}.{name}"
        if full not in known and full not in objects:
            objects[full] = "acts with the owner's rights"
    return objects


def _trigger_line(statement: str) -> str:
    """A trigger as the information schema tells of it."""
    match = re.fullmatch(r"CREATE TRIGGER \S+ (\w+ \w+) ON \w+\.(\w+) FOR EACH ROW (.+)", statement)
    if match is None:
        raise ValueError(f"not a trigger: {statement}")
    return f"{match[1]} {match[2]} {match[3]}"


async def sessions(
    session: Connection, accounts: Mapping[str, Account], due: Iterable[tuple[str, ...]]
) -> tuple[Session, ...]:
    """Open sessions of Cairn's logins. A session outlives its account."""
    logins = {one.name for one in accounts.values() if not one.role} | {login for (login,) in due}
    rows = await session.fetch("SHOW FULL PROCESSLIST")
    return tuple(
        Session(str(row[0]), str(row[1])) for row in rows if ACCOUNT.fullmatch(str(row[1])) or row[1] in logins
    )


async def _clock(session: Connection, objects: Mapping[str, str]) -> datetime:
    seen = "SELECT seen FROM map.clock WHERE id = 1" if "table map.clock" in objects else "0"
    ((now, last),) = await session.fetch(f"SELECT UNIX_TIMESTAMP(SYSDATE(6)), ({seen})")
    return datetime.fromtimestamp(float(max(now, last or 0)), UTC)


async def publications(session: Connection, design: Design, facts: Facts) -> dict[str, Publication]:
    """How many rows of each published table name one order or buyer. No table that is not as Cairn made it is read."""
    found = {}
    for table in design.tables:
        name = f"table {table_name(table)}"
        noted = facts.made.get(name)
        masters = masters_of(design, table.mapping) if table.mapping else []
        if noted is None or noted.shown != facts.shown.get(name):
            continue
        relation = qualified(published(table.party), table.name)
        if not table.mapping or not masters:
            rows = int((await session.fetch(f"SELECT COUNT(*) FROM {relation}"))[0][0])
            found[f"{table.party}.{table.name}"] = Publication(rows, 0, rows if table.mapping else 0, 0)
            continue
        joined = f"{relation} t LEFT JOIN ({keyed(masters, table.mapping)}) s ON {matches(table.mapping)}"
        counts = "COUNT(*), COALESCE(SUM(s.n = 1), 0), COALESCE(SUM(s.n > 1), 0)"
        rows, mapped, conflicts = map(int, (await session.fetch(f"SELECT {counts} FROM {joined}"))[0])
        found[f"{table.party}.{table.name}"] = Publication(rows, mapped, rows - mapped - conflicts, conflicts)
    return found


async def observe(session: Connection, design: Design, passwords: Mapping[str, str]) -> Observation:
    facts = await look(session, design)
    return Observation(
        state=facts.state,
        sessions=facts.sessions,
        ended=facts.ended,
        verifiers=verifiers(facts, passwords),
        publications=await publications(session, available(design, facts.datasets)[0], facts),
        at=facts.clock,
        datasets=facts.datasets,
    )


def verifiers(facts: Facts, passwords: Mapping[str, str]) -> dict[str, bool]:
    """For each login, whether the password opens it, by what the server keeps of it."""
    stored = {one.name: one.stored for one in facts.accounts.values() if not one.role}
    return {login: opens(stored.get(login), password) for login, password in passwords.items()}
