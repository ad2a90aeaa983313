# SPDX-License-Identifier: Apache-2.0
"""What should stand in a PostgreSQL database for a design. Pure.

An object's digest says how it is made in words; `facts` tells the same words of what it finds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from cairn.sql.share.model import Design, Party, PlatformSource, View
from cairn.sql.share.names import group, own_role, published, shares, work
from cairn.sql.share.postgresql.base import BASE, ROUTINES, TableSpec, published_spec, routine_sql
from cairn.sql.share.postgresql.masks import ERASED
from cairn.sql.share.postgresql.views import base_views, digest, full_name, view_sql
from cairn.sql.share.state import Entry, State

DEFAULTS = {"f": "FUNCTIONS", "T": "TYPES"}
"""What PUBLIC may use of whatever a role makes, unless its default privileges say otherwise."""
DML = ("SELECT", "INSERT", "UPDATE", "DELETE")
IDLE_MS = 60_000
RETIRED = "nologin limit=-1"
"""A group whose party is gone, and the owner role: nobody logs in, nothing is set."""


def desired(design: Design) -> State:
    """What should stand. ValueError for a design that can't: an unknown mask, a table that nobody publishes."""
    own = own_role(design.id)
    objects = {
        f"role {own}": RETIRED,
        "schema map": owned(own),
        "schema audit": owned(own),
        **{f"default {kind} {own}": "closed" for kind in DEFAULTS},
        **{f"routine audit.{name}()": f"{owned(own)} {digest(routine_sql(name))}" for name in ROUTINES},
        **{f"table {spec.schema}.{spec.name}": table_digest(spec, own) for spec in BASE},
        **{f"table map.{name}": view_digest(own, text) for name, text in base_views(design, witness=True).items()},
    }
    entries = {_entry(f"table platform.{dataset}", own, "SELECT") for dataset in datasets(design)}
    entries |= {_entry("schema platform", own, "USAGE")} if entries else set()
    entries |= {_entry("table audit.log", own, f"no {privilege}") for privilege in ("UPDATE", "DELETE", "TRUNCATE")}
    for party in design.parties:
        objects |= _party_objects(party, own)
        entries |= _party_entries(party, design.database)
    for table in design.tables:
        spec = published_spec(table)
        name = f"table {spec.schema}.{spec.name}"
        objects[name] = table_digest(spec, own)
        entries |= {_entry(name, group(table.party), privilege) for privilege in DML}
    for view in design.views:
        name = f"table {full_name(view)}"
        objects[name] = view_digest(own, view_sql(view, design))
        entries.add(_entry(name, group(view.party), "SELECT"))
    rows = {
        "map.key": frozenset((name,) for name in key_names(design)),
        "map.scope": frozenset((full_name(view), shop) for view in design.views for shop in view.shops),
    }
    return State(frozenset(entries), objects, rows)


def current(design: Design, clock: datetime, ended: Iterable[str]) -> Design:
    """Without what has ended by this clock or is remembered to have ended, which joins `ended`."""
    gone = design.ended | frozenset(ended)
    gone |= {view.grant for view in design.views if view.expires_at is not None and view.expires_at <= clock}
    views = tuple(view for view in design.views if view.grant not in gone)
    return replace(design, views=views, ended=gone)


def available(design: Design, there: Collection[str]) -> tuple[Design, tuple[str, ...]]:
    """Without what needs a view of `platform` that is not there (yet), and which views of it those are."""
    lacking = datasets(design) - set(there)
    views = tuple(
        view
        for view in design.views
        if not (isinstance(view.source, PlatformSource) and view.source.dataset in lacking)
    )
    masters = tuple(master for master in design.masters if master.dataset not in lacking)
    return replace(design, views=views, masters=masters), tuple(sorted(lacking))


def key_names(design: Design) -> frozenset[str]:
    used = {c.mask.key for view in design.views for c in view.columns if c.mask.kind in ("hmac", "hmac-shared")}
    return frozenset(used | {ERASED})


def datasets(design: Design) -> frozenset[str]:
    """The views of `platform` that the owner role reads."""
    sources = {view.source.dataset for view in design.views if isinstance(view.source, PlatformSource)}
    return frozenset(sources | {master.dataset for master in design.masters})


def owned(owner: str) -> str:
    return f"owner={owner}"


def role_digest(*, login: bool, limit: int = -1, settings: Iterable[str] = ()) -> str:
    return " ".join([f"{'login' if login else 'nologin'} limit={limit}", *sorted(settings)])


def login_settings(party: Party) -> dict[str, str]:
    """Defaults of a login's sessions: what both make belongs to the group. The app may set them otherwise."""
    return {
        "role": group(party.id),
        "statement_timeout": str(party.statement_timeout_ms),
        "idle_in_transaction_session_timeout": str(IDLE_MS),
    }


def table_digest(spec: TableSpec, owner: str) -> str:
    columns = ",".join(f"{name}:{kind}{'!' if filled else ''}" for name, kind, filled in sorted(spec.columns))
    return f"{owned(owner)} table ({columns}) key ({','.join(spec.key)})"


def view_digest(owner: str, text: str) -> str:
    return f"{owned(owner)} view {digest(text)}"


def describe(view: View) -> tuple[str, ...]:
    """What a view shows, as lines for people and for telling a wider one from a narrower one."""
    if isinstance(view.source, PlatformSource):
        source = f"platform.{view.source.dataset}"
    else:
        source = f"{published(view.source.party)}.{view.source.table}"
    lines = [f"from {source}", f"window {view.window_days or 'all'}"]
    lines.append(f"until {view.expires_at.isoformat() if view.expires_at else 'withdrawn'}")
    lines += [f"column {_column(c.name, c.mask.kind, c.mask.bucket, c.source, c.mask.key)}" for c in view.columns]
    lines += [f"shop {shop}" for shop in view.shops]
    lines.append(f"grant {view.grant}")
    return tuple(sorted(lines))


def _column(name: str, kind: str, bucket: str, source: str, key: str) -> str:
    return " ".join(part for part in (name, kind, bucket, key, f"of {source}" if source != name else "") if part)


def _party_objects(party: Party, own: str) -> dict[str, str]:
    objects = {f"role {group(party.id)}": RETIRED, f"schema {shares(party.id)}": owned(own)}
    if not party.staff:
        objects[f"schema {published(party.id)}"] = owned(own)
        objects[f"schema {work(party.id)}"] = owned(group(party.id))
    settings = [f"{name}={value}" for name, value in login_settings(party).items()]
    for login in party.logins:
        made = role_digest(login=login.enabled, limit=party.connections, settings=settings)
        objects[f"role {login.name}"] = made
    return objects


def _party_entries(party: Party, database: str) -> set[Entry]:
    holder = group(party.id)
    entries = {_entry(f"database {database}", holder, "CONNECT")}
    entries |= {_entry(f"role {holder}", login.name, "MEMBER") for login in party.logins}
    schemas = (shares(party.id),) if party.staff else (shares(party.id), published(party.id))
    return entries | {_entry(f"schema {schema}", holder, "USAGE") for schema in schemas}


def _entry(target: str, grantee: str, privilege: str) -> Entry:
    return Entry(target, "", grantee, privilege, grantable=False, grantor="")
