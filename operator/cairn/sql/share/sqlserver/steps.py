# SPDX-License-Identifier: Apache-2.0
"""Single statements, each a batch of its own. Pure text."""

from __future__ import annotations

from cairn.sql.share.sqlserver.text import identifier, literal
from cairn.sql.share.state import Entry

_DECLARED = "DECLARE @name sysname = %s, @password nvarchar(128) = %s, @schema sysname = %s; "
CREATE_USER = (
    _DECLARED + "DECLARE @sql nvarchar(max) = N'CREATE USER ' + QUOTENAME(@name) + N' WITH PASSWORD = '"
    " + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = ' + QUOTENAME(@schema)"
    " + N'; REVOKE CONNECT FROM ' + QUOTENAME(@name); EXEC sys.sp_executesql @sql"
)
"""A password can be no parameter of the statement itself. A user is made shut."""
SET_PASSWORD = (
    _DECLARED + "DECLARE @sql nvarchar(max) = N'ALTER USER ' + QUOTENAME(@name) + N' WITH PASSWORD = '"
    " + QUOTENAME(@password, '''') + N', DEFAULT_SCHEMA = ' + QUOTENAME(@schema); EXEC sys.sp_executesql @sql"
)
FORGET_PASSWORD = "DELETE FROM map.passwords WHERE login = %s"
NOTE_PASSWORD = (
    "INSERT INTO map.passwords (login, salt, digest, changed)"
    " SELECT name, %s, %s, modify_date FROM sys.database_principals WHERE name = %s"
)
_BYTE = "CAST(SUBSTRING(@k, n.i, 1) AS int)"
_PAD = (
    f"CONVERT(binary(64), STRING_AGG(CONVERT(char(2), CAST({_BYTE} ^ %d AS binary(1)), 2), '')"
    " WITHIN GROUP (ORDER BY n.i), 2)"
)
NEW_KEY = (
    "DECLARE @k binary(64) = CRYPT_GEN_RANDOM(64);"
    f" INSERT INTO map.mac (name, ipad, opad) SELECT {{0}}, {_PAD % 0x36}, {_PAD % 0x5C}"
    " FROM (SELECT TOP (64) CAST(ROW_NUMBER() OVER (ORDER BY o.object_id) AS int) AS i FROM sys.all_objects AS o) AS n"
)
"""Made on the server: a key is in no statement, on no wire and in no log. The halves are those of HMAC (RFC 2104)."""
TICK = "UPDATE map.clock SET seen = IIF(seen > SYSUTCDATETIME(), seen, SYSUTCDATETIME()) WHERE id = 1"
NEW_CLOCK = (
    "INSERT INTO map.clock (id, seen) SELECT 1, SYSUTCDATETIME() WHERE NOT EXISTS (SELECT 1 FROM map.clock AS c)"
)
KEEP_APPLIED = (
    "MERGE map.applied AS a USING (SELECT 1 AS id, %s AS state) AS n ON a.id = n.id"
    " WHEN MATCHED THEN UPDATE SET state = n.state WHEN NOT MATCHED THEN INSERT (id, state) VALUES (n.id, n.state);"
)


def shut(login: str) -> str:
    """No new session: without CONNECT a contained user does not get in. Sessions that are open go on."""
    return f"REVOKE CONNECT FROM {identifier(login)}"


def owed(schema: str, owner: str) -> str:
    return f"ALTER AUTHORIZATION ON SCHEMA::{identifier(schema)} TO {identifier(owner)}"


def once(table: str, **values: str) -> str:
    """A row, if it is not there."""
    same = " AND ".join(f"{name} = {value}" for name, value in values.items())
    return (
        f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())}"
        f" WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same})"
    )


def ended(key: str) -> str:
    there = f"SELECT 1 FROM map.ended WHERE grantkey = {literal(key)}"
    return f"INSERT INTO map.ended (grantkey, at) SELECT {literal(key)}, SYSUTCDATETIME() WHERE NOT EXISTS ({there})"


def end(session: str) -> str:
    return f"KILL {int(session)}"


def takeable(entry: Entry) -> bool:
    """Whether there is a statement for it. Rights on what Cairn makes none of are told."""
    return entry.object.partition(" ")[0] in ("database", "object", "schema", "role", "user")


def take(entry: Entry) -> str:
    """With CASCADE: whoever passed the right on passed it on for nothing. A DENY goes the same way."""
    who = identifier(entry.grantee)
    kind, _, name = entry.object.partition(" ")
    if entry.privilege == "MEMBER":
        return f"ALTER ROLE {identifier(name)} DROP MEMBER {who}"
    column = f" ({identifier(entry.column)})" if entry.column else ""
    by = f" AS {identifier(entry.grantor)}" if entry.grantor else ""
    return f"REVOKE {entry.privilege.removeprefix('DENY ')}{column}{_on(kind, name)} FROM {who} CASCADE{by}"


def give(entry: Entry) -> str:
    who = identifier(entry.grantee)
    kind, _, name = entry.object.partition(" ")
    if entry.privilege == "MEMBER":
        return f"ALTER ROLE {identifier(name)} ADD MEMBER {who}"
    return f"GRANT {entry.privilege}{_on(kind, name)} TO {who}"


def _on(kind: str, name: str) -> str:
    if kind == "database":
        return ""
    parts = name.split(".", 1) if kind == "object" else [name]
    return f" ON {kind.upper()}::{'.'.join(identifier(part) for part in parts)}"
