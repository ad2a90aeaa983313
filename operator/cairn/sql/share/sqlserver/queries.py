# SPDX-License-Identifier: Apache-2.0
"""What is read of the server's catalogs. Pure text."""

from __future__ import annotations

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
    "SELECT p.name, p.type, p.authentication_type, p.default_schema_name, o.name AS owner, p.modify_date"
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

SCHEMAS = (
    "SELECT s.name, p.name AS owner FROM sys.schemas AS s"
    " JOIN sys.database_principals AS p ON p.principal_id = s.principal_id"
)
COLUMNS = (
    "SELECT s.name AS schema_name, o.name AS table_name, c.name, t.name AS type_name, c.max_length, c.precision,"
    " c.scale, c.is_nullable, c.is_computed FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id"
    " JOIN sys.schemas AS s ON s.schema_id = o.schema_id JOIN sys.types AS t ON t.user_type_id = c.user_type_id"
    " WHERE o.type = 'U' AND o.is_ms_shipped = 0"
)
CLOCK = "SELECT CAST(SYSUTCDATETIME() AS datetime2(6))"
SEEN = "SELECT seen FROM map.clock WHERE id = 1"
ROWS = {
    "map.scope": "SELECT view_name, shop FROM map.scope",
    "map.mac": "SELECT name, retired FROM map.mac",
    "map.due": "SELECT login FROM map.due",
    "map.ended": "SELECT grantkey FROM map.ended",
    "map.applied": "SELECT state FROM map.applied WHERE id = 1",
    "map.passwords": "SELECT login, salt, digest, changed FROM map.passwords",
}
