# SPDX-License-Identifier: Apache-2.0
"""What a grant offers by itself, whatever the app asks for: its tables and columns as the contract lets them be. Pure.

A grant that is wrong in one column loses that column, one that is wrong as a whole offers nothing; each says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cairn.api import contract as contracts
from cairn.api.conditions import Reason
from cairn.api.contract import ColumnType, Contract, ContractError
from cairn.api.integrationtenant import Grant, GrantedColumn, GrantedTable
from cairn.tenant import names
from cairn.tenant.masks import Rule, strictest
from cairn.tenant.terms import LONGEST_DAYS, Column, Problem, Published, Shown, World

PLATFORM = "platform"


@dataclass(slots=True)
class Judged:
    """One grant. shown: its tables with all columns that it offers. read: its contract, where that is there"""

    grant: Grant
    key: str
    expires_at: datetime
    shown: list[Shown] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    read: Contract | None = None
    next: datetime | None = None
    ended: bool = False

    def wrong(self, reason: Reason, text: str) -> None:
        self.problems.append(Problem(reason, f"grant {self.grant.name}: {text}"))


@dataclass(frozen=True, slots=True)
class _Behind:
    """The relation behind a table. rules: what its publisher lets be shown of a column; None: nothing of the kind"""

    types: Mapping[str, ColumnType]
    personal: frozenset[str]
    rules: Mapping[str, Rule] | None = None


def judge(grant: Grant, world: World, tables: Mapping[str, Published]) -> Judged:
    """tables: what is published, by <app>.<table>"""
    expires = names.moment(grant.expires_at)
    key = names.grant_key(world.tenant.metadata.uid, grant.name, grant.app, grant.contract.sha256, grant.expires_at)
    found = Judged(grant, key, expires or datetime.min.replace(tzinfo=UTC))
    if expires is None:
        found.wrong(Reason.INVALID_SPEC, f"expiresAt {grant.expires_at} is no moment: write 2027-05-31T00:00:00Z")
        return found
    if _over(found, world) or _too_long(found, world):
        return found
    if grant.app not in {app.name for app in world.tenant.spec.apps}:
        found.wrong(Reason.APP_NOT_FOUND, f"app {grant.app} is not in spec.apps: admit it there, or remove the grant")
        return found
    found.next = expires
    found.read = contract_of(grant.contract.name, grant.contract.sha256, world, found)
    shops = _shops(found, world)
    if found.read is not None and shops:
        for table in sorted(grant.tables, key=lambda one: one.from_):
            found.shown += _table(found, table, shops, world, tables)
    return found


def contract_of(name: str, sha256: str, world: World, judged: Judged | list[Problem]) -> Contract | None:
    """The contract that is pinned, or what is wrong with the pin."""
    problem = unread(name, sha256, world)
    if problem is None:
        read = world.contracts[sha256]
        return read if isinstance(read, Contract) else None
    if isinstance(judged, Judged):
        judged.wrong(problem.reason, problem.text)
    else:
        judged.append(problem)
    return None


def unread(name: str, sha256: str, world: World) -> Problem | None:
    """Why a pinned contract can't be used; None if it can."""
    read = world.contracts.get(sha256)
    if isinstance(read, Contract):
        return None
    if isinstance(read, ContractError):
        return Problem(Reason.CONTRACT_INVALID, f"contract {name} ({sha256[:12]}) can't be read: {read}")
    if there := sorted(world.named.get(name, ())):
        text = (
            f"contract {name} has the sha256 {there[0]}, not {sha256[:12]}…: read what it says now and pin that,"
            " or put the text back"
        )
        return Problem(Reason.CONTRACT_MISMATCH, text)
    text = (
        f"contract {name} ({sha256[:12]}…) is nowhere: make a ConfigMap {name} with the key {contracts.KEY}, here or in"
        " the app's namespace"
    )
    return Problem(Reason.CONTRACT_NOT_FOUND, text)


def _over(found: Judged, world: World) -> bool:
    if found.expires_at > world.now and found.key not in world.ended:
        return False
    found.ended = True
    found.wrong(Reason.GRANT_EXPIRED, f"it ended at {found.grant.expires_at}: give it a later expiresAt, or remove it")
    return True


def _too_long(found: Judged, world: World) -> bool:
    earliest = found.expires_at - timedelta(days=LONGEST_DAYS)
    if earliest <= world.now:
        return False
    found.next = earliest
    text = f"expiresAt {found.grant.expires_at} is more than {LONGEST_DAYS} days ahead: choose an earlier one"
    found.wrong(Reason.GRANT_TOO_LONG, text)
    return True


def _shops(found: Judged, world: World) -> tuple[str, ...]:
    shared = set(world.tenant.spec.shops) & set(world.shops)
    if foreign := sorted(set(found.grant.rows.shops) - shared):
        text = f"rows.shops {', '.join(foreign)}: no shop of the seller's that spec.shops lists: remove it, or list it"
        found.wrong(Reason.NOT_YOUR_SHOP, text)
    return tuple(sorted(set(found.grant.rows.shops) & shared))


def _table(
    found: Judged, table: GrantedTable, shops: tuple[str, ...], world: World, tables: Mapping[str, Published]
) -> Iterator[Shown]:
    grant, read = found.grant, found.read
    owner, _, name = table.from_.partition(".")
    if read is None or read.source not in ({table.from_} if owner == PLATFORM else {table.from_, name}):
        about = read.source if read else ""
        found.wrong(Reason.TABLE_UNKNOWN, f"contract {grant.contract.name} is about {about}, not {table.from_}")
        return
    behind = _platform(found, name, world) if owner == PLATFORM else _published(found, table, tables)
    if behind is None:
        return
    given = {column.name: column for column in table.columns}
    for unknown in sorted(given.keys() - {column.name for column in read.columns}):
        text = f"contract {grant.contract.name} has no column {unknown}: remove it from the grant"
        found.wrong(Reason.COLUMN_UNKNOWN, text)
    both = [(column, given[column.name]) for column in read.columns if column.name in given]
    columns = [one for column, mine in both if (one := _column(found, table.from_, column, mine, behind))]
    if columns:
        yield Shown(
            app=grant.app,
            name=read.table,
            grant=grant.name,
            key=found.key,
            contract=grant.contract.name,
            sha256=grant.contract.sha256,
            purpose=grant.purpose,
            source=table.from_,
            columns=tuple(columns),
            shops=shops,
            window_days=int(grant.rows.window[:-1]) if grant.rows.window else None,
            expires_at=found.expires_at,
            group=grant.group or "",
            key_type=table.join_on if owner != PLATFORM else None,
        )


def _platform(found: Judged, name: str, world: World) -> _Behind | None:
    dataset = world.datasets.get(name)
    if dataset is None:
        text = (
            f"nothing is pushed as {PLATFORM}.{name} into this database (there is"
            f" {', '.join(sorted(world.datasets)) or 'nothing'}): add it to a PushSubscription"
        )
        found.wrong(Reason.TABLE_UNKNOWN, text)
        return None
    return _Behind(dict(dataset.shown), dataset.personal)


def _published(found: Judged, table: GrantedTable, tables: Mapping[str, Published]) -> _Behind | None:
    owner, _, name = table.from_.partition(".")
    published = tables.get(table.from_)
    if owner == found.grant.app:
        found.wrong(Reason.TABLE_UNKNOWN, f"{table.from_} is the app's own: it reads that without a grant")
    elif published is None:
        found.wrong(Reason.TABLE_UNKNOWN, f"app {owner} publishes no table {name}")
    elif (mapping := published.publication.mapping) is None:
        found.wrong(Reason.MAPPING_CONFLICT, f"{table.from_} is published without a mapping: nothing tells whose rows")
    elif mapping.key_type != table.join_on:
        text = (
            f"{table.from_} is joined on {mapping.key_type}, not on {table.join_on}: write joinOn: {mapping.key_type}"
        )
        found.wrong(Reason.MAPPING_CONFLICT, text)
    else:
        columns = published.contract.columns
        return _Behind(
            types={column.name: column.type for column in columns},
            personal=frozenset(column.name for column in columns if column.personal is not False),
            rules={column.name: Rule(column.mask, column.bucket) for column in columns if column.mask},
        )
    return None


def _column(
    found: Judged, where: str, column: contracts.Column, given: GrantedColumn, behind: _Behind
) -> Column | None:
    name, type_ = f"{where} {column.name}", behind.types.get(column.source)
    if type_ is None:
        found.wrong(Reason.COLUMN_UNKNOWN, f"{where} has no column {column.source}: remove {column.name}")
        return None
    if type_ != column.type:
        text = f"{name} is {type_}, and {column.type} in the contract: it is not shown"
        found.wrong(Reason.COLUMN_UNKNOWN, text)
        return None
    if column.mask is None or (behind.rules is not None and column.source not in behind.rules):
        text = f"{name} has no mask in the contract: it is shown to nobody; remove it"
        found.wrong(Reason.MASK_REFUSED, text)
        return None
    rules = [Rule(column.mask, column.bucket), Rule(given.mask, given.bucket or "")]
    rules += [behind.rules[column.source]] if behind.rules is not None else []
    if unfit := next((rule for rule in rules if not rule.suits(type_)), None):
        found.wrong(Reason.MASK_REFUSED, f"{name} is {type_}: {unfit} is no mask for it")
        return None
    rule = strictest(rules)
    if rule.kind == "hmac-shared" and not found.grant.group:
        rule = Rule("hmac")
    personal = column.source in behind.personal or column.personal is True
    if found.grant.purpose == "marketing" and personal and rule.kind == "plain":
        found.wrong(Reason.MASK_REFUSED, f"{name} says something about a buyer: marketing gets it masked or not at all")
        return None
    return Column(column.name, column.source, type_, rule)
