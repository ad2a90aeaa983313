# SPDX-License-Identifier: Apache-2.0
"""A look at the database of a session: catalogs, and those of Cairn's small tables that are as Cairn made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.locks import end_lockers
from cairn.sql.postgresql import Connection
from cairn.sql.quoting import identifier
from cairn.sql.share.model import Design
from cairn.sql.share.names import APPS, OWNED, group, own_role
from cairn.sql.share.postgresql import catalog
from cairn.sql.share.postgresql.base import BASE, ROUTINES
from cairn.sql.share.postgresql.desired import owned, table_digest, view_digest
from cairn.sql.share.postgresql.facts import MARK, Applied, Facts, Right
from cairn.sql.share.postgresql.judge import listed, role_digest_of, tolerated
from cairn.sql.share.postgresql.relations import relations as read_relations
from cairn.sql.share.postgresql.rights import Names
from cairn.sql.share.postgresql.rights import rights as read_rights
from cairn.sql.share.postgresql.views import ZONE, base_views, digest
from cairn.sql.share.state import Entry, Session, State

PATIENCE = "1s"
"""How long an app's lock is waited for."""
ATTEMPTS = 3
PUBLISHED = "^p[a-z2-7]{16}$"
"""Schemas of tables that apps write and views of others read."""
KNOWN = frozenset(f"routine audit.{name}()" for name in ROUTINES)
Row = Mapping[str, Any]
"""A row of a catalog."""


async def look(conn: Connection, design: Design) -> Facts:
    """All of it in one snapshot, which changes nothing. SqlError(Conflict) where a name of ours is somebody else's."""
    await conn.execute("SET ROLE NONE")  # whatever a database sets for those who connect to it
    for again in range(ATTEMPTS):
        await conn.execute(f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '{PATIENCE}'")
        try:
            if again:  # before those come back whose sessions were ended: the text of views is read under locks
                await conn.fetch(catalog.RELATIONS)
            return await _Look(conn, design).facts()
        except asyncpg.LockNotAvailableError:
            if again == ATTEMPTS - 1:
                raise
        finally:
            if not conn.is_closed():
                await conn.execute("ROLLBACK")
        await clear_way(conn)
    raise AssertionError("not reached")


async def clear_way(conn: Connection) -> int:
    """An app may lock what it publishes against every reader: not against Cairn, and not to keep a right."""
    return await end_lockers(conn, f"^({APPS.pattern})$", PUBLISHED)


class _Look:
    def __init__(self, conn: Connection, design: Design) -> None:
        self.conn, self.design, self.own = conn, design, own_role(design.id)

    async def facts(self) -> Facts:
        conn, design = self.conn, self.design
        server = await conn.fetchrow(
            "SELECT current_user AS admin, current_setting('server_version_num')::int / 10000 AS version,"
            " (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS superuser,"
            " pg_catalog.statement_timestamp() AS now,"
            " (SELECT c.relkind = 'r' AND c.relowner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname ="
            " current_user) FROM pg_catalog.pg_class c WHERE c.oid ="
            " pg_catalog.to_regclass('sys_info.jdp_cursor')) AS witness"
        )
        assert server is not None  # noqa: S101 -- one row always
        names = Names({row["oid"]: row["rolname"] for row in await conn.fetch("SELECT oid, rolname FROM pg_roles")})
        roles = await self._roles()
        schemas = await self._schemas(roles)
        oids = [row["oid"] for row in roles.values()], [row["oid"] for row in schemas.values()]
        owners = {name: row["owner"] for name, row in schemas.items()}
        rights = [
            right
            for right in await read_rights(conn, oids, names, dict(server))
            if not tolerated(right.entry, design, server["admin"])
        ]
        relations, objects = await read_relations(conn, design, set(schemas))
        objects |= {f"role {name}": role_digest_of(row) for name, row in roles.items()}
        objects |= {f"schema {name}": owned(owner) for name, owner in owners.items() if name != "platform"}
        for row in await conn.fetch(catalog.CLOSED, oids[0]):
            objects[f"default {row['kind']} {names[row['owner']]}"] = "closed"
        objects |= await self._routines()
        heirless = {f"role {name}" for name, row in roles.items() if row["owns"]}
        objects = {n: made for n, made in objects.items() if listed(n, made, design, owns=n in heirless)}
        self._clock(objects, rights, witness=bool(server["witness"]))
        entries: dict[Entry, tuple[Right, ...]] = {}
        for right in rights:
            entries[right.entry] = (*entries.get(right.entry, ()), right)
        rows = await self._rows(objects, {right.entry.object for right in rights if right.kind == "lost"})
        members = await self._members(oids[0], names)
        watched = {name for name, row in roles.items() if name.startswith("u")} | set(rows["due"])
        return Facts(
            admin=server["admin"],
            version=server["version"],
            superuser=server["superuser"],
            witness=bool(server["witness"]),
            clock=await self._now(server["now"], witness=bool(server["witness"])),
            state=State(
                frozenset(entries),
                objects,
                {
                    "map.scope": frozenset((row["view_name"], row["shop_id"]) for row in rows["scope"]),
                    "map.key": frozenset((row["name"],) for row in rows["key"] if not row["retired"]),
                    "map.due": frozenset((login,) for login in rows["due"]),
                },
            ),
            rights=entries,
            roles={name: row["rolcanlogin"] for name, row in roles.items()},
            members=members,
            schemas=owners,
            relations=relations,
            sessions=await self._sessions(watched),
            ended=frozenset(row["grant_key"] for row in rows["ended"]),
            retired=frozenset(row["name"] for row in rows["key"] if row["retired"]),
            due=frozenset(rows["due"]),
            applied=rows["applied"],
            databases=await self._databases(oids[0]),
            datasets=frozenset(
                row["relname"]
                for row in await conn.fetch(
                    "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
                    " ON n.oid = c.relnamespace JOIN pg_catalog.pg_roles r ON r.oid = c.relowner"
                    " WHERE n.nspname = 'platform' AND c.relkind = 'v' AND r.rolname = current_user"
                )
            ),
        )

    async def _roles(self) -> dict[str, Row]:
        mark = MARK + self.design.id
        wanted = [self.own]
        for party in self.design.parties:
            wanted += [group(party.id), *(login.name for login in party.logins)]
        rows = await self.conn.fetch(catalog.ROLES, wanted, mark)
        for row in rows:
            if row["mark"] != mark:
                raise SqlError(
                    Reason.CONFLICT,
                    f"role {row['rolname']} exists and is not Cairn's: rename or drop it, or COMMENT ON ROLE"
                    f" {identifier(row['rolname'])} IS '{mark}' after making sure of what it may",
                )
        return {row["rolname"]: dict(row) for row in rows}

    async def _schemas(self, roles: Mapping[str, Row]) -> dict[str, Row]:
        """Cairn's: those of parties known here, and those that belong to one of Cairn's roles."""
        parties = {party.id for party in self.design.parties}
        found: dict[str, Row] = {}
        for row in await self.conn.fetch(catalog.SCHEMAS):
            name, owner = row["nspname"], row["owner"]
            if OWNED.fullmatch(name) and name[1:] not in parties and owner not in roles:
                continue
            if name in ("map", "audit") and owner not in roles and self.own not in roles:
                message = f"schema {name} exists and belongs to {owner}: rename it, Cairn needs the name"
                raise SqlError(Reason.CONFLICT, message)
            found[name] = dict(row)
        return found

    async def _routines(self) -> dict[str, str]:
        found = {}
        for row in await self.conn.fetch(catalog.ROUTINES):
            name = f"routine {row['nspname']}.{row['proname']}({row['arguments']})"
            if name not in KNOWN:
                continue
            settings = ", ".join(row["proconfig"] or ())
            text = (
                f"CREATE OR REPLACE FUNCTION {row['nspname']}.{row['proname']}() RETURNS trigger LANGUAGE"
                f" {row['lanname']} SET search_path = {settings.removeprefix('search_path=')}"
                f" AS $cairn${row['prosrc']}$cairn$"
            )
            found[name] = f"{owned(row['owner'])} {digest(text)}" + (" definer" if row["prosecdef"] else "")
        return found

    def _clock(self, objects: dict[str, str], rights: list[Right], *, witness: bool) -> None:
        """The clock counts as wanted if it is the one that this database allows: with the push's, where that is."""
        has = {
            (right.entry.object, right.entry.privilege)
            for right in rights
            if right.entry.grantee == self.own and right.entry.object.endswith((" sys_info", ".jdp_cursor"))
        }
        needed = {("schema sys_info", "USAGE"), ("table sys_info.jdp_cursor", "SELECT")} if witness else set()
        rights[:] = [
            r for r in rights if not (r.entry.grantee == self.own and _key(r) in needed and not r.entry.column)
        ]
        made = {flag: view_digest(self.own, base_views(self.design, witness=flag)["clock"]) for flag in (True, False)}
        if needed <= has and objects.get("table map.clock") == made[witness]:
            objects["table map.clock"] = made[True]
        elif "table map.clock" in objects:
            objects["table map.clock"] += " not of this database"

    async def _rows(self, objects: Mapping[str, str], lost: set[str]) -> dict[str, Any]:
        """Cairn's small tables, read as their owner; none that is not as Cairn made it."""
        sound = {
            spec.name
            for spec in BASE
            if objects.get(f"table {spec.schema}.{spec.name}") == table_digest(spec, self.own)
            and not lost & {f"table {spec.schema}.{spec.name}", f"schema {spec.schema}"}
        }
        columns = {"key": "name, retired", "scope": "*", "ended": "grant_key", "due": "login", "applied": "state"}
        found: dict[str, Any] = {name: [] for name in columns}
        if sound & columns.keys():
            await self.conn.execute(f"SET LOCAL ROLE {self.own}")
            for name in sorted(sound & columns.keys()):
                found[name] = await self.conn.fetch(f"SELECT {columns[name]} FROM map.{name}")
            await self.conn.execute("SET LOCAL ROLE NONE")
        found["due"] = [row["login"] for row in found["due"]]
        found["applied"] = Applied.parsed(found["applied"][0]["state"]) if found["applied"] else Applied()
        return found

    async def _members(self, oids: list[int], names: Names) -> dict[str, frozenset[str]]:
        """Who may log in and has a group's rights, however it came by them."""
        rows = await self.conn.fetch(
            "WITH RECURSIVE m(role, member) AS (SELECT roleid, member FROM pg_catalog.pg_auth_members"
            " WHERE roleid = ANY($1) UNION SELECT m.role, a.member FROM m JOIN pg_catalog.pg_auth_members a"
            " ON a.roleid = m.member) SELECT m.role, m.member FROM m JOIN pg_catalog.pg_roles r ON r.oid = m.member"
            " WHERE r.rolcanlogin AND (NOT r.rolsuper OR r.oid = ANY($1))"
            " AND r.rolname <> current_user",
            oids,
        )
        found: dict[str, set[str]] = {}
        for row in rows:
            found.setdefault(names[row["role"]], set()).add(names[row["member"]])
        return {role: frozenset(members) for role, members in found.items()}

    async def _sessions(self, watched: Iterable[str]) -> tuple[Session, ...]:
        rows = await self.conn.fetch(catalog.SESSIONS, sorted(watched))
        return tuple(Session(str(row["pid"]), row["usename"], row["backend_start"]) for row in rows)

    async def _databases(self, oids: list[int]) -> tuple[str, ...]:
        rows = await self.conn.fetch(
            "SELECT DISTINCT d.datname FROM pg_catalog.pg_db_role_setting s"
            " JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase WHERE s.setrole = ANY($1)",
            oids,
        )
        return tuple(sorted(row["datname"] for row in rows))

    async def _now(self, now: datetime, *, witness: bool) -> datetime:
        if not witness:
            return now
        last = await self.conn.fetchval(f"SELECT pg_catalog.max(c.ts) AT TIME ZONE '{ZONE}' FROM sys_info.jdp_cursor c")
        return max(now, last) if isinstance(last, datetime) else now.astimezone(UTC)


def _key(right: Right) -> tuple[str, str]:
    return right.entry.object, right.entry.privilege
