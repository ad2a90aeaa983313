# SPDX-License-Identifier: Apache-2.0
"""What nobody may use any more, and nobody does. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from cairn.sql.quoting import identifier, literal, qualified
from cairn.sql.share.names import group, logins, shares, work
from cairn.sql.share.postgresql import records
from cairn.sql.share.postgresql.case import Batch, Case, Step
from cairn.sql.share.postgresql.roles import drop_login


def clear(case: Case) -> Iterable[Batch]:
    """What nobody may use any more."""
    own = case.own
    views, schemas = Batch("views that go"), Batch("schemas that go")
    gone: dict[str, Batch] = {}
    for name in sorted(case.diff.unwanted):
        kind, _, rest = name.partition(" ")
        if kind == "table":
            schema, _, view = rest.partition(".")
            role = own if case.owner_of(rest) == own else ""
            views.steps.append(Step(f"DROP VIEW IF EXISTS {qualified(schema, view)} CASCADE", role))
            views.records += records.dropped(case, rest)
        elif kind == "schema" and rest == shares(rest[1:]):
            role = own if case.facts.schemas.get(rest) == own else ""
            schemas.steps.append(Step(f"DROP SCHEMA {identifier(rest)} RESTRICT", role))
            schemas.records.append(records.cleared(case, rest))
        elif kind == "schema":
            owner = group(rest[1:]) if rest == work(rest[1:]) else own
            schemas.steps.append(Step(f"ALTER SCHEMA {identifier(rest)} OWNER TO {owner}"))
            schemas.records.append(records.cleared(case, rest))
        elif kind == "role" and rest in logins(rest[1:17]):
            batch = gone.setdefault(rest, Batch(f"login {rest}"))
            batch.steps += [Step(sql) for sql in drop_login(case.facts, rest, group(rest[1:17]))]
            batch.records.append(records.cleared(case, rest))
    keys = Batch("keys")
    for (name,) in sorted(case.facts.state.rows.get("map.key", frozenset()) - case.wanted.rows["map.key"]):
        keys.steps.append(Step(f"UPDATE map.key SET retired = true WHERE name = {literal(name)}", own))
    if keys:
        keys.records.append(records.made(case, "map.key", "keys that no mask needs are put aside"))
    return [views, schemas, *gone.values(), keys]
