# SPDX-License-Identifier: Apache-2.0
"""From what is effective to what should stand in the database: parties, published tables, views. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from cairn.api.contract import KeyType
from cairn.api.dataset import Dataset
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.schedule import duration
from cairn.sql.share import model
from cairn.sql.share.model import Design, Login, Mask, Master, Party, PlatformSource, PublishedSource, View
from cairn.tenant import names
from cairn.tenant.offer import PLATFORM
from cairn.tenant.terms import Column, Effective, Published, Shown

STAFF = ("finance", "owner", "support")
"""Roles of the seller's staff that may query."""


def design_of(
    seller_uid: str,
    rds_uid: str,
    database: str,
    tenant: IntegrationTenant,
    apps: Mapping[str, IntegrationApp],
    effective: Effective,
    logins: Mapping[str, tuple[Login, ...]],
    shops: Collection[str],
    datasets: Mapping[str, Dataset],
    readers: Iterable[str],
    ended: Collection[str],
) -> Design:
    """Everything in one order, whatever the order of the lists that it is made from."""
    ids = {name: names.party_id(seller_uid, app.metadata.uid) for name, app in apps.items()}
    tables = {f"{one.app}.{one.publication.name}": one for one in effective.tables}
    shared = tuple(sorted(set(tenant.spec.shops) & set(shops)))
    roles = {
        role: names.staff_id(seller_uid, rds_uid, database, role)
        for role in STAFF
        if any(account.role == role for account in tenant.spec.accounts)
    }
    parties = [_party(ids[name], apps[name], logins.get(name, ())) for name in ids]
    parties += [Party(id_, staff=True) for id_ in roles.values()]
    shown = [one for consent in effective.apps.values() for one in consent.shown]
    views = [_view(one, ids, tables, datasets) for one in shown]
    if shared:
        views += chain.from_iterable(_staff(role, id_, datasets, shared) for role, id_ in roles.items())
    return Design(
        id=names.design_id(seller_uid, rds_uid, database),
        database=database,
        parties=tuple(sorted(parties, key=lambda one: one.id)),
        tables=tuple(sorted((_table(one, ids) for one in tables.values()), key=lambda one: (one.party, one.name))),
        views=tuple(sorted(views, key=lambda one: (one.party, one.name))),
        readers=tuple(sorted(readers)),
        ended=frozenset(ended),
        masters=tuple(master for _, dataset in sorted(datasets.items()) if (master := _master(dataset))),
    )


def _party(id_: str, app: IntegrationApp, logins: tuple[Login, ...]) -> Party:
    rules = app.spec.credentials
    timeout = int(duration(rules.statement_timeout).total_seconds() * 1000)
    return Party(id_, logins, connections=rules.max_connections, statement_timeout_ms=timeout)


def _table(one: Published, ids: Mapping[str, str]) -> model.Table:
    mapping = one.publication.mapping
    return model.Table(
        party=ids[one.app],
        name=one.publication.name,
        columns=tuple(
            model.TableColumn(column.name, column.type, column.required or column.key)
            for column in one.contract.columns
        ),
        key=one.contract.key,
        mapping=model.Mapping(mapping.column, mapping.key_type, mapping.shop_column) if mapping else None,
    )


def _time(dataset: Dataset) -> str:
    """What a window of days is counted from."""
    return dataset.created if dataset.created in dataset.shown else "jdp_modified"


def _buyer(dataset: Dataset) -> model.Buyer:
    return model.Buyer(ouid=dataset.buyer.ouid, omid=dataset.buyer.omid, nick=dataset.buyer.nick)


def _master(dataset: Dataset) -> Master | None:
    if dataset.order is None and dataset.buyer.ouid is None:
        return None
    return Master(dataset.name, _time(dataset), dataset.order, _buyer(dataset))


def _view(one: Shown, ids: Mapping[str, str], tables: Mapping[str, Published], datasets: Mapping[str, Dataset]) -> View:
    owner, _, name = one.source.partition(".")
    party, source = ids[one.app], _source(owner, name, ids, datasets)
    fields = _fields(datasets[name]) if owner == PLATFORM else _joined(tables[one.source])
    prefix = "" if owner == PLATFORM else f"{ids[owner]}.{name}."
    columns = tuple(
        _column(column, one, party, fields.get(column.source, prefix + column.source)) for column in one.columns
    )
    return View(
        party=party,
        name=one.name,
        grant=one.key,
        source=source,
        columns=columns,
        shops=one.shops,
        window_days=one.window_days,
        expires_at=one.expires_at,
    )


def _source(
    owner: str, name: str, ids: Mapping[str, str], datasets: Mapping[str, Dataset]
) -> PlatformSource | PublishedSource:
    if owner != PLATFORM:
        return PublishedSource(ids[owner], name)
    return PlatformSource(name, _time(datasets[name]), _buyer(datasets[name]))


def _fields(dataset: Dataset) -> dict[str, str]:
    """Columns that name an order or a buyer: one pseudonym in all tables, so that an app can join what it reads."""
    known: tuple[tuple[str | None, str], ...] = (
        (dataset.order, "tid"),
        (dataset.buyer.ouid, "ouid"),
        (dataset.buyer.omid, "omid"),
        (dataset.buyer.nick, "nick"),
    )
    return {column: field for column, field in known if column}


def _joined(one: Published) -> dict[str, KeyType]:
    """Of what an app publishes only the key by which it joins, as only real orders and buyers are shown by it. Any
    other column has a key of its own: by publishing guesses nobody finds out what a pseudonym stands for."""
    mapping = one.publication.mapping
    return {mapping.column: mapping.key_type} if mapping else {}


def _column(column: Column, one: Shown, party: str, field: str) -> model.ShownColumn:
    key = ""
    if column.rule.kind == "hmac":
        key = f"{party}.{field}"
    elif column.rule.kind == "hmac-shared":
        key = f"group-{one.group}.{field}"  # with a dash: never a party's
    return model.ShownColumn(
        column.name, column.source, column.type, Mask(column.rule.kind, key=key, bucket=column.rule.bucket)
    )


def _staff(role: str, id_: str, datasets: Mapping[str, Dataset], shops: tuple[str, ...]) -> Iterator[View]:
    for name, dataset in sorted(datasets.items()):
        columns = [
            model.ShownColumn(column, column, type_, Mask(_mask(role, type_, personal=column in dataset.personal)))
            for column, type_ in dataset.shown.items()
            if role != "finance" or column not in dataset.personal
        ]
        yield View(
            party=id_,
            name=name,
            grant=f"staff-{role}",
            source=PlatformSource(name, _time(dataset), _buyer(dataset)),
            columns=tuple(columns),
            shops=shops,
        )


def _mask(role: str, type_: str, *, personal: bool) -> model.MaskKind:
    if role == "owner" or not personal:
        return "plain"
    return "partial" if type_ == "text" else "null"
