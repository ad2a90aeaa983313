# SPDX-License-Identifier: Apache-2.0
"""The queries that read every catalog in which a right can stand. They name no relation of anybody's.

Parameters: $1 the oids of Cairn's roles, $2 those of Cairn's schemas. A right is told if it is on something in those
schemas, or of or by one of those roles anywhere in this database; what belongs to the whole server likewise.
"""

from __future__ import annotations


def _name(*parts: str) -> str:
    return " || '.' || ".join(parts)


def _sql(*parts: str) -> str:
    return " || '.' || ".join(f"pg_catalog.quote_ident({part})" for part in parts)


def _rights(word: str, parts: tuple[str, ...], acl: str, default: str, source: str, owner: str, scope: str) -> str:
    """One catalog. word: as GRANT calls it, an SQL expression; default: the letter of `acldefault`, "" for none."""
    given = f"coalesce({acl}, pg_catalog.acldefault({default}, {owner}))" if default else acl
    return (
        f"SELECT {word} || ' ' || {_name(*parts)} AS object, {word} || ' ' || {_sql(*parts)} AS sql, ''::text AS col,"
        f" {owner} AS owner, a.grantee, a.grantor, a.privilege_type, a.is_grantable"
        f" FROM {source}, LATERAL pg_catalog.aclexplode({given}) a"
        f" WHERE a.grantee <> {owner} AND ({scope} OR a.grantee = ANY($1) OR a.grantor = ANY($1))"
    )


_RELATION = "CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END"
_RELATION_LETTER = "CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r'::\"char\" END"
_IN_SCHEMA = "{}.{}namespace = ANY($2)"
_HIDDEN = "'pg_toast'::pg_catalog.regnamespace"

RIGHTS = " UNION ALL ".join(
    (
        _rights(
            _RELATION,
            ("n.nspname", "c.relname"),
            "c.relacl",
            _RELATION_LETTER,
            "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
            "c.relowner",
            "c.relnamespace = ANY($2)",
        )
        + " AND c.relkind IN ('r', 'v', 'm', 'S', 'f', 'p')",
        "SELECT 'table ' || n.nspname || '.' || c.relname, 'table ' || "
        + _sql("n.nspname", "c.relname")
        + ", t.attname::text, c.relowner, a.grantee, a.grantor, a.privilege_type, a.is_grantable"
        " FROM pg_catalog.pg_attribute t JOIN pg_catalog.pg_class c ON c.oid = t.attrelid"
        " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, LATERAL pg_catalog.aclexplode(t.attacl) a"
        " WHERE t.attacl IS NOT NULL AND NOT t.attisdropped AND a.grantee <> c.relowner"
        " AND (c.relnamespace = ANY($2) OR a.grantee = ANY($1) OR a.grantor = ANY($1))",
        _rights(
            "'schema'",
            ("n.nspname",),
            "n.nspacl",
            "'n'",
            "pg_catalog.pg_namespace n",
            "n.nspowner",
            "(n.oid = ANY($2) OR (a.grantee = 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'))",
        ),
        _rights(
            "'database'",
            ("d.datname",),
            "d.datacl",
            "'d'",
            "pg_catalog.pg_database d",
            "d.datdba",
            "(a.grantee = 0 AND d.datname = pg_catalog.current_database())",
        ),
        (
            "SELECT 'routine ' || n.nspname || '.' || p.proname || '(' ||"
            " pg_catalog.pg_get_function_identity_arguments(p.oid) || ')',"
            # Names and types alone: what an ordered-set aggregate says of its arguments is not what GRANT takes.
            " 'routine ' || p.oid::pg_catalog.regprocedure::text, '', p.proowner, a.grantee,"
            " a.grantor, a.privilege_type, a.is_grantable"
            " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,"
            " LATERAL pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a"
            " WHERE a.grantee <> p.proowner"
            " AND (p.pronamespace = ANY($2) OR a.grantee = ANY($1) OR a.grantor = ANY($1))"
        ),
        _rights(
            "'type'",
            ("n.nspname", "t.typname"),
            "t.typacl",
            "'T'",
            "pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace",
            "t.typowner",
            "t.typnamespace = ANY($2)",
        )
        + " AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid) AND t.typtype <> 'm'",
        _rights("'language'", ("l.lanname",), "l.lanacl", "", "pg_catalog.pg_language l", "l.lanowner", "false"),
        _rights(
            "'foreign data wrapper'",
            ("f.fdwname",),
            "f.fdwacl",
            "",
            "pg_catalog.pg_foreign_data_wrapper f",
            "f.fdwowner",
            "false",
        ),
        _rights(
            "'foreign server'", ("s.srvname",), "s.srvacl", "", "pg_catalog.pg_foreign_server s", "s.srvowner", "false"
        ),
        _rights("'tablespace'", ("s.spcname",), "s.spcacl", "", "pg_catalog.pg_tablespace s", "s.spcowner", "false"),
        _rights(
            "'large object'",
            ("l.oid::text",),
            "l.lomacl",
            "",
            "pg_catalog.pg_largeobject_metadata l",
            "l.lomowner",
            "l.lomowner = ANY($1)",
        ).replace("pg_catalog.quote_ident(l.oid::text)", "l.oid::text"),
        _rights("'parameter'", ("p.parname",), "p.paracl", "", "pg_catalog.pg_parameter_acl p", "10::oid", "false"),
    )
)
"""object, sql (the same, quoted), col, owner, grantee (0: PUBLIC), grantor, privilege_type, is_grantable."""

LOST = (
    "SELECT 'table ' || n.nspname || '.' || c.relname AS object, 'table ' || "
    + _sql("n.nspname", "c.relname")
    + " AS sql, c.relowner AS owner, d.privilege_type"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,"
    " LATERAL pg_catalog.aclexplode(pg_catalog.acldefault('r', c.relowner)) d"
    " WHERE c.relacl IS NOT NULL AND c.relkind IN ('r', 'v') AND c.relowner = ANY($1) AND c.relnamespace = ANY($2)"
    " AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(c.relacl) a"
    " WHERE a.grantee = c.relowner AND a.privilege_type = d.privilege_type)"
    " UNION ALL SELECT 'schema ' || n.nspname, 'schema ' || "
    + _sql("n.nspname")
    + ", n.nspowner, d.privilege_type FROM pg_catalog.pg_namespace n,"
    " LATERAL pg_catalog.aclexplode(pg_catalog.acldefault('n', n.nspowner)) d"
    " WHERE n.nspacl IS NOT NULL AND n.nspowner = ANY($1) AND n.oid = ANY($2)"
    " AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a"
    " WHERE a.grantee = n.nspowner AND a.privilege_type = d.privilege_type)"
)
"""Rights that an owner took from itself: views stop working without them."""

DEFAULT_RIGHTS = (
    "SELECT d.defaclobjtype::text AS kind, d.defaclrole AS owner, n.nspname, a.grantee, a.grantor, a.privilege_type,"
    " a.is_grantable FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace"
    " CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) a WHERE a.grantee <> d.defaclrole"
    " AND (d.defaclrole = ANY($1) OR d.defaclnamespace = ANY($2) OR a.grantee = ANY($1))"
)

CLOSED = (
    "SELECT d.defaclobjtype::text AS kind, d.defaclrole AS owner FROM pg_catalog.pg_default_acl d"
    " WHERE d.defaclnamespace = 0 AND d.defaclrole = ANY($1)"
    " AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(d.defaclacl) a WHERE a.grantee = 0)"
)
"""Roles whose new objects of a kind PUBLIC may not use."""

MEMBERS = (
    "SELECT m.roleid, m.member, m.grantor, m.admin_option, {inherits} AS inherits FROM pg_catalog.pg_auth_members m"
    " JOIN pg_catalog.pg_roles r ON r.oid = m.member"
    " WHERE (m.roleid = ANY($1) OR m.member = ANY($1)) AND (NOT r.rolsuper OR r.oid = ANY($1))"
    " AND r.rolname <> current_user"
)

ROLES = (
    "SELECT r.oid, r.rolname, r.rolcanlogin, r.rolconnlimit, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb,"
    " r.rolreplication, r.rolbypassrls, r.rolvaliduntil < 'infinity' AS expires,"
    " pg_catalog.shobj_description(r.oid, 'pg_authid') AS mark,"
    " (SELECT pg_catalog.array_agg(CASE WHEN s.setdatabase = 0 THEN c ELSE 'in ' || s.setdatabase || ' ' || c END)"
    " FROM pg_catalog.pg_db_role_setting s, LATERAL pg_catalog.unnest(s.setconfig) c WHERE s.setrole = r.oid)"
    " AS settings,"
    " EXISTS (SELECT FROM pg_catalog.pg_shdepend d WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass"
    " AND d.refobjid = r.oid AND d.deptype = 'o') AS owns FROM pg_catalog.pg_roles r"
    " WHERE r.rolname = ANY($1) OR pg_catalog.shobj_description(r.oid, 'pg_authid') = $2"
)

SCHEMAS = (
    "SELECT n.oid, n.nspname, n.nspowner, pg_catalog.pg_get_userbyid(n.nspowner) AS owner"
    " FROM pg_catalog.pg_namespace n WHERE n.nspname IN ('platform', 'map', 'audit')"
    " OR n.nspname ~ '^[psw][a-z2-7]{16}$'"
)

RELATIONS = (
    "SELECT c.oid, n.nspname, c.relname, c.relkind::text AS relkind, pg_catalog.pg_get_userbyid(c.relowner) AS owner,"
    " c.relrowsecurity OR c.relforcerowsecurity AS secured, c.reloptions, c.relispartition OR EXISTS (SELECT FROM"
    " pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid) AS inherits,"
    " pg_catalog.obj_description(c.oid, 'pg_class') AS comment,"
    " CASE WHEN c.relkind = 'v' THEN pg_catalog.md5(pg_catalog.pg_get_viewdef(c.oid)) END AS made"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname ~ '^(map|audit|[ps][a-z2-7]{16})$' AND c.relkind IN ('r', 'v', 'm', 'f', 'p')"
)

COLUMNS = (
    "SELECT a.attrelid, a.attname, t.typname, t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AS plain,"
    " a.atttypmod, a.attnotnull, a.atthasdef OR a.attidentity <> '' AS given"
    " FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
    " WHERE a.attrelid = ANY($1) AND a.attnum > 0 AND NOT a.attisdropped"
)

KEYS = (
    "SELECT x.conrelid, ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(x.conkey) WITH ORDINALITY k(num, pos)"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = x.conrelid AND a.attnum = k.num ORDER BY k.pos) AS columns"
    " FROM pg_catalog.pg_constraint x WHERE x.conrelid = ANY($1) AND x.contype = 'p'"
)

ALIENS = (
    "SELECT polrelid AS relation, 'policy' AS kind, polname::text AS name FROM pg_catalog.pg_policy"
    " WHERE polrelid = ANY($1)"
    " UNION ALL SELECT tgrelid, 'trigger', tgname::text FROM pg_catalog.pg_trigger"
    " WHERE tgrelid = ANY($1) AND NOT tgisinternal"
    " UNION ALL SELECT tgrelid, 'trigger off', tgname::text FROM pg_catalog.pg_trigger"
    " WHERE tgrelid = ANY($1) AND NOT tgisinternal AND tgenabled <> 'O'"
    " UNION ALL SELECT ev_class, 'rule', rulename::text FROM pg_catalog.pg_rewrite"
    " WHERE ev_class = ANY($1) AND rulename <> '_RETURN'"
    " UNION ALL SELECT conrelid, 'constraint', conname::text FROM pg_catalog.pg_constraint"
    " WHERE conrelid = ANY($1) AND contype IN ('c', 'f', 'u', 'x')"
    " UNION ALL SELECT indrelid, 'index', indexrelid::pg_catalog.regclass::text FROM pg_catalog.pg_index i"
    " WHERE indrelid = ANY($1) AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint x WHERE x.conindid = i.indexrelid)"
)
"""What a plain table has not: code of others would run with the rights of whoever touches the table."""

ROUTINES = (
    "SELECT n.nspname, p.proname, pg_catalog.pg_get_userbyid(p.proowner) AS owner, p.prosrc, p.prosecdef,"
    " p.proconfig, l.lanname, pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments"
    " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
    " JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE n.nspname IN ('map', 'audit')"
)

SESSIONS = (
    "SELECT a.pid, a.usename, a.backend_start FROM pg_catalog.pg_stat_activity a"
    " WHERE a.usename = ANY($1::pg_catalog.text[]) AND a.backend_type = 'client backend'"
    " AND (a.datname = pg_catalog.current_database() OR a.usename ~ '^u[a-z2-7]{16}[ab]$')"
)
"""Of people who have a party's rights in this database, and of parties' own logins in any."""

END = (
    "SELECT a.usename, pg_catalog.pg_terminate_backend(a.pid, 5000) AS gone FROM pg_catalog.pg_stat_activity a"
    " WHERE a.usename = ANY($1::pg_catalog.text[]) AND a.backend_type = 'client backend'"
    " AND (a.datname = pg_catalog.current_database() OR a.usename ~ '^u[a-z2-7]{16}[ab]$')"
    " AND a.pid <> pg_catalog.pg_backend_pid()"
)
