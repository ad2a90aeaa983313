# SPDX-License-Identifier: Apache-2.0
"""Tables that are not as they should be: what adds to them, and what takes away code that is not theirs. Pure."""

from __future__ import annotations

from cairn.sql.quoting import identifier, qualified
from cairn.sql.share.postgresql.base import TRIGGERS, TableSpec, column_sql
from cairn.sql.share.postgresql.facts import Facts


def mend(spec: TableSpec, facts: Facts, own: str) -> list[tuple[str, str]]:
    """Statements with the role to send each as. No column is dropped and no type changed: that would lose data.

    What this can't mend stays a difference, which `settle` reports.
    """
    found = facts.relations[f"{spec.schema}.{spec.name}"]
    table = qualified(spec.schema, spec.name)
    if found.kind != "r":
        return []
    statements = [] if found.owner == own else [(f"ALTER TABLE {table} OWNER TO {own}", "")]
    for kind, name in found.aliens:
        statements += [(sql, own) for sql in _remove(kind, name, table, spec.schema)]
    for name, wanted, filled in spec.columns:
        if name not in found.columns:
            statements.append((f"ALTER TABLE {table} ADD COLUMN {column_sql(name, wanted, filled)}", own))
        elif found.columns[name][1] != filled and name not in found.key:
            change = "SET" if filled else "DROP"
            statements.append((f"ALTER TABLE {table} ALTER COLUMN {identifier(name)} {change} NOT NULL", own))
    wanted_names = {name for name, _, _ in spec.columns}
    for name, (_, filled) in sorted(found.columns.items()):
        if name not in wanted_names and filled:
            statements.append((f"ALTER TABLE {table} ALTER COLUMN {identifier(name)} DROP NOT NULL", own))
    return statements


def _remove(kind: str, name: str, table: str, schema: str) -> list[str]:
    quoted = identifier(name) if name else ""
    match kind:
        case "policy" | "trigger" | "rule":
            return [f"DROP {kind.upper()} {quoted} ON {table} CASCADE"]
        case "no trigger":
            return [f"CREATE TRIGGER {quoted} {TRIGGERS[name]}"]
        case "trigger off":
            return [f"ALTER TABLE {table} ENABLE TRIGGER {quoted}"]
        case "constraint":
            return [f"ALTER TABLE {table} DROP CONSTRAINT {quoted} CASCADE"]
        case "default":
            return [f"ALTER TABLE {table} ALTER COLUMN {quoted} DROP DEFAULT"]
        case "index":
            return [f"DROP INDEX {name}"]
        case "row security":
            return [
                f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
                f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
            ]
    return []
