# SPDX-License-Identifier: Apache-2.0
"""Statements that make and end what should stand, each a batch of its own. Pure text.

DDL of SQL Server takes part in transactions. Still the order is the one that is safe wherever it breaks: shut, take,
end sessions, remake, give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cairn.sql.share.model import Design, Party, Table, View
from cairn.sql.share.names import group, own_role, published, shares, work
from cairn.sql.share.sqlserver.text import TYPES, identifier, literal, qualified
from cairn.sql.share.sqlserver.views import full_name, view_sql
from cairn.sql.share.state import Entry

OWN_TABLES = {
    "map.mac": "name nvarchar(120) PRIMARY KEY, ipad binary(64) NOT NULL, opad binary(64) NOT NULL,"
    " retired bit NOT NULL DEFAULT 0",
    "map.scope": "view_name nvarchar(120) NOT NULL, shop nvarchar(64) NOT NULL, PRIMARY KEY (view_name, shop)",
    "map.ended": "grantkey nvarchar(64) PRIMARY KEY, at datetime2(6) NOT NULL",
    "map.clock": "id tinyint PRIMARY KEY, seen datetime2(6) NOT NULL",
    "map.erased": "shop nvarchar(64) NOT NULL, digest char(64) NOT NULL, PRIMARY KEY (shop, digest)",
    "map.due": "login sysname PRIMARY KEY",
    "audit.log": "seq bigint IDENTITY PRIMARY KEY, at datetime2(6) NOT NULL, action nvarchar(32) NOT NULL,"
    " actor nvarchar(255) NOT NULL, tenant nvarchar(255) NOT NULL, subject nvarchar(255) NOT NULL,"
    " reason nvarchar(max) NOT NULL, contract nvarchar(80) NOT NULL, entries_before nvarchar(max) NOT NULL,"
    " entries_after nvarchar(max) NOT NULL, prev char(64) NOT NULL, hash char(64) NOT NULL",
}
INDEXED = "nvarchar(255)"

PERMISSIONS = (
    "SELECT p.class_desc, p.state, p.permission_name, e.name AS grantee, r.name AS grantor,"
    " COALESCE(s.name + '.' + o.name, t.name, d.name, '') AS target, c.name AS col"
    " FROM sys.database_permissions AS p"
    " JOIN sys.database_principals AS e ON e.principal_id = p.grantee_principal_id"
    " JOIN sys.database_principals AS r ON r.principal_id = p.grantor_principal_id"
    " LEFT JOIN sys.objects AS o ON p.class = 1 AND o.object_id = p.major_id"
    " LEFT JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
    " LEFT JOIN sys.schemas AS t ON p.class = 3 AND t.schema_id = p.major_id"
    " LEFT JOIN sys.database_principals AS d ON p.class = 4 AND d.principal_id = p.major_id"
    " LEFT JOIN sys.columns AS c ON p.class = 1 AND c.object_id = p.major_id AND c.column_id = p.minor_id"
)
"""state: G grant, W with grant option, D deny, R revoked. A D of anybody's is drift."""
MEMBERS = (
    "SELECT r.name AS role, m.name AS member FROM sys.database_role_members AS x"
    " JOIN sys.database_principals AS r ON r.principal_id = x.role_principal_id"
    " JOIN sys.database_principals AS m ON m.principal_id = x.member_principal_id"
)
PRINCIPALS = (
    "SELECT p.name, p.type, p.authentication_type, p.default_schema_name, o.name AS owner"
    " FROM sys.database_principals AS p LEFT JOIN sys.database_principals AS o"
    " ON o.principal_id = p.owning_principal_id"
)
OBJECTS = (
    "SELECT s.name AS schema_name, o.name, o.type, p.name AS schema_owner, q.name AS owner, m.definition,"
    " m.execute_as_principal_id FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id"
    " JOIN sys.database_principals AS p ON p.principal_id = s.principal_id"
    " LEFT JOIN sys.database_principals AS q ON q.principal_id = o.principal_id"
    " LEFT JOIN sys.sql_modules AS m ON m.object_id = o.object_id WHERE o.is_ms_shipped = 0"
)
"""owner NULL: the schema's, as it has to be; another breaks the chain or makes one."""
FLAGS = "SELECT is_trustworthy_on, is_db_chaining_on, containment FROM sys.databases WHERE database_id = DB_ID()"
SESSIONS = (
    "SELECT s.session_id, s.original_login_name FROM sys.dm_exec_sessions AS s"
    " WHERE s.is_user_process = 1 AND s.authenticating_database_id = DB_ID()"
)
"""By who logged in, whatever EXECUTE AS says since."""


def ground(design: Design) -> Iterator[str]:
    own = identifier(own_role(design.id))
    yield f"CREATE USER {own} WITHOUT LOGIN"
    yield "REVOKE CONNECT FROM guest"
    yield f"ALTER AUTHORIZATION ON SCHEMA::platform TO {own}"
    for name in ("map", "audit"):
        yield f"CREATE SCHEMA {name} AUTHORIZATION {own}"
    for name, columns in OWN_TABLES.items():
        yield f"CREATE TABLE {name} ({columns})"
    yield "INSERT INTO map.clock (id, seen) VALUES (1, SYSUTCDATETIME())"
    yield (
        "CREATE TRIGGER audit.keep ON audit.log INSTEAD OF UPDATE, DELETE AS"
        " THROW 50000, 'the audit is appended to, and never changed', 1"
    )


def admitted(design: Design, party: Party) -> Iterator[str]:
    """A party's role and schemas; its logins, shut. Passwords go as parameters of `CREATE_USER`."""
    own, role = identifier(own_role(design.id)), identifier(group(party.id))
    yield f"CREATE ROLE {role} AUTHORIZATION {own}"
    yield f"CREATE SCHEMA {identifier(shares(party.id))} AUTHORIZATION {own}"
    if not party.staff:
        yield f"CREATE SCHEMA {identifier(published(party.id))} AUTHORIZATION {own}"
        yield f"CREATE SCHEMA {identifier(work(party.id))} AUTHORIZATION {role}"


CREATE_USER = (
    "DECLARE @sql nvarchar(max) = N'CREATE USER ' + QUOTENAME(@name) + N' WITH PASSWORD = '"
    " + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = ' + QUOTENAME(@schema)"
    " + N'; REVOKE CONNECT FROM ' + QUOTENAME(@name); EXEC sys.sp_executesql @sql"
)
"""A password can be no parameter of the statement itself."""


def shut(login: str) -> str:
    """No new session: without CONNECT a contained user does not get in. Sessions that are open go on."""
    return f"REVOKE CONNECT FROM {identifier(login)}"


def end(sessions: Iterable[int]) -> Iterator[str]:
    for number in sessions:
        yield f"KILL {int(number)}"


def take(entry: Entry) -> str:
    """With CASCADE: whoever passed the right on passed it on for nothing."""
    who = identifier(entry.grantee)
    kind, _, name = entry.object.partition(" ")
    if kind == "role":
        return f"ALTER ROLE {identifier(name)} DROP MEMBER {who}"
    column = f" ({identifier(entry.column)})" if entry.column else ""
    by = f" AS {identifier(entry.grantor)}" if entry.grantor else ""
    return f"REVOKE {entry.privilege}{column}{_on(kind, name)} FROM {who} CASCADE{by}"


def give(entry: Entry) -> str:
    who = identifier(entry.grantee)
    kind, _, name = entry.object.partition(" ")
    if kind == "role":
        return f"ALTER ROLE {identifier(name)} ADD MEMBER {who}"
    return f"GRANT {entry.privilege}{_on(kind, name)} TO {who}"


def _on(kind: str, name: str) -> str:
    if kind == "database":
        return ""
    return f" ON {kind.upper()}::{'.'.join(identifier(part) for part in name.split('.'))}"


def shown(design: Design, view: View) -> Iterator[str]:
    yield view_sql(design, view)
    for shop in view.shops:
        yield f"INSERT INTO map.scope (view_name, shop) VALUES ({literal(full_name(view))}, {literal(shop)})"


def hidden(view: View) -> Iterator[str]:
    yield f"DELETE FROM map.scope WHERE view_name = {literal(full_name(view))}"
    yield f"DROP VIEW IF EXISTS {qualified(shares(view.party), view.name)}"


def table_sql(table: Table) -> str:
    joins = {table.mapping.column, table.mapping.shop_column} if table.mapping else set()
    lines = []
    for column in table.columns:
        indexed = column.type in ("text", "json") and (column.name in table.key or column.name in joins)
        filled = "NOT NULL" if column.required or column.name in table.key else "NULL"
        lines.append(f"{identifier(column.name)} {INDEXED if indexed else TYPES[column.type]} {filled}")
    if table.key:
        lines.append(f"PRIMARY KEY ({', '.join(identifier(name) for name in table.key)})")
    return f"CREATE TABLE {qualified(published(table.party), table.name)} ({', '.join(lines)})"
