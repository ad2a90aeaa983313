# SPDX-License-Identifier: Apache-2.0
"""A look at a SQL Server database. Changes nothing, and reads no relation that an app could have made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.share.applied import Applied
from cairn.sql.share.blocking import Blocking, Row
from cairn.sql.share.model import Design
from cairn.sql.share.names import APPS, own_role, published
from cairn.sql.share.postgresql.desired import available
from cairn.sql.share.sqlserver import catalog, passwords, queries
from cairn.sql.share.sqlserver.desired import desired
from cairn.sql.share.sqlserver.passwords import Noted
from cairn.sql.share.sqlserver.tables import OWN_TABLES, full_name
from cairn.sql.share.sqlserver.text import qualified
from cairn.sql.share.sqlserver.views import keyed, masters_of, matches
from cairn.sql.share.state import Observation, Publication, Session, State


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found.

    schemas: all of the database's, with their owners; columns: of published tables; grants: by view, the consent that
    its text names; changed: when a user was last changed; noted: what was noted of passwords that were set
    """

    state: State
    sessions: tuple[Session, ...]
    schemas: Mapping[str, str]
    columns: Mapping[str, tuple[str, ...]]
    grants: Mapping[str, str]
    changed: Mapping[str, datetime]
    noted: Mapping[str, Noted]
    ended: frozenset[str]
    retired: frozenset[str]
    applied: Applied
    datasets: frozenset[str]
    clock: datetime


async def look(session: Blocking, design: Design) -> Facts:
    flags = (await session.fetch(queries.FLAGS))[0]
    schemas = {str(name): str(owner) for name, owner in await session.fetch(queries.SCHEMAS)}
    _refuse_others(design, schemas)
    principals = await session.fetch(queries.PRINCIPALS)
    rows = await session.fetch(queries.OBJECTS)
    found = catalog.objects(design, rows, await session.fetch(queries.COLUMNS))
    objects = {"database": catalog.flags(flags), **catalog.principals(design, principals), **found.objects}
    objects |= {f"schema {name}": f"owner={owner}" for name, owner in schemas.items() if catalog.mine(design, name)}
    permissions = await session.fetch(queries.PERMISSIONS)
    members = await session.fetch(queries.MEMBERS)
    there = {name for name in OWN_TABLES if f"table {name}" in objects}
    small = {name: await session.fetch(sql) if name in there else [] for name, sql in queries.ROWS.items()}
    return Facts(
        state=State(frozenset(catalog.entries(design, permissions, members)), objects, _compared(small)),
        sessions=await sessions(session),
        schemas=schemas,
        columns=found.columns,
        grants={name: grant for name, text in found.texts.items() if (grant := _grant(text))},
        changed={str(row[0]): row[5] for row in principals},
        noted={str(login): Noted(salt, digest, at) for login, salt, digest, at in small["map.passwords"]},
        ended=frozenset(str(key) for (key,) in small["map.ended"]),
        retired=frozenset(str(name) for name, retired in small["map.mac"] if retired),
        applied=Applied.parsed(str(small["map.applied"][0][0])) if small["map.applied"] else Applied(),
        datasets=frozenset(str(row[1]) for row in rows if row[0] == "platform" and row[2].strip() in ("U", "V")),
        clock=await _clock(session, seen="map.clock" in there),
    )


def _compared(small: Mapping[str, list[Row]]) -> dict[str, frozenset[tuple[str, ...]]]:
    return {
        "map.scope": frozenset((str(view), str(shop)) for view, shop in small["map.scope"]),
        "map.mac": frozenset((str(name),) for name, retired in small["map.mac"] if not retired),
        "map.due": frozenset((str(login),) for (login,) in small["map.due"]),
    }


def _grant(text: str) -> str:
    match = re.search(r"x\.grantkey = N'((?:[^']|'')*)'", text)
    return match[1].replace("''", "'") if match else ""


def _refuse_others(design: Design, schemas: Mapping[str, str]) -> None:
    """SqlError(Conflict) where the database is shared by another design, or a name of ours is somebody else's."""
    for name in ("map", "audit"):
        owner = schemas.get(name, own_role(design.id))
        if owner != own_role(design.id):
            message = f"schema {name} belongs to {owner}, and is not this tenant's: use another database, or rename it"
            raise SqlError(Reason.CONFLICT, message)


async def sessions(session: Blocking) -> tuple[Session, ...]:
    rows = await session.fetch(queries.SESSIONS)
    return tuple(Session(str(number), str(login)) for number, login in rows if APPS.fullmatch(str(login)))


async def _clock(session: Blocking, *, seen: bool) -> datetime:
    """The server's, but never before the last change that was written here."""
    times: list[datetime] = [row[0] for row in await session.fetch(queries.CLOCK)]
    times += [row[0] for row in await session.fetch(queries.SEEN)] if seen else []
    return max(times).replace(tzinfo=UTC)


def verifiers(facts: Facts, given: Mapping[str, str]) -> dict[str, bool]:
    """For each login, whether the password is the one that was set last."""
    return {
        login: passwords.opens(facts.noted.get(login), facts.changed.get(login), password)
        for login, password in given.items()
    }


async def observe(session: Blocking, design: Design, given: Mapping[str, str]) -> Observation:
    facts = await look(session, design)
    return Observation(
        state=facts.state,
        sessions=facts.sessions,
        ended=facts.ended,
        verifiers=verifiers(facts, given),
        publications=await _publications(session, available(design, facts.datasets)[0], facts),
        at=facts.clock,
        datasets=facts.datasets,
    )


async def _publications(session: Blocking, design: Design, facts: Facts) -> dict[str, Publication]:
    """How many rows of each published table name one order or buyer. No table that is not as Cairn made it is read."""
    found, wanted = {}, desired(design).objects
    for table in design.tables:
        name = f"table {full_name(table)}"
        if facts.state.objects.get(name) != wanted[name] or _bears(facts.state.objects, published(table.party)):
            continue
        relation = qualified(published(table.party), table.name)
        masters = masters_of(design, table.mapping) if table.mapping else []
        if not table.mapping or not masters:
            rows = int((await session.fetch(f"SELECT COUNT_BIG(*) FROM {relation}"))[0][0])
            found[f"{table.party}.{table.name}"] = Publication(rows, 0, rows if table.mapping else 0, 0)
            continue
        joined = f"{relation} AS t LEFT JOIN ({keyed(masters, table.mapping)}) AS s ON {matches(table.mapping)}"
        counts = "COUNT_BIG(*), COALESCE(SUM(IIF(s.n = 1, 1, 0)), 0), COALESCE(SUM(IIF(s.n > 1, 1, 0)), 0)"
        rows, mapped, conflicts = map(int, (await session.fetch(f"SELECT {counts} FROM {joined}"))[0])
        found[f"{table.party}.{table.name}"] = Publication(rows, mapped, rows - mapped - conflicts, conflicts)
    return found


def _bears(objects: Iterable[str], schema: str) -> bool:
    """Whether there is anything but tables in a schema of published ones."""
    return any(f" {schema}." in name and not name.startswith("table ") for name in objects)
