# SPDX-License-Identifier: Apache-2.0
"""One tenant in one pass: whose it is, which database, which shops and apps. Built once, then only read. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cairn.api.conditions import Reason, not_ready
from cairn.api.database import Database, shared_database
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.lookup import Wrong, own_shops, parsed, seller_in_order, seller_ref
from cairn.api.platform import Platform
from cairn.api.resources import INTEGRATIONTENANT, NAMESPACE, SELLERRDS, Obj
from cairn.api.seller import Seller
from cairn.engine.kind import Observed
from cairn.tenant.apps import AppCase, app_cases
from cairn.tenant.facts import Facts


@dataclass(frozen=True, slots=True)
class Case:
    """shops: those of spec.shops that are the seller's, by number; not_yours: what is wrong with the others"""

    tenant: IntegrationTenant
    observed: Observed
    now: datetime
    platform: Platform
    seller: Seller
    database: Database
    shops: tuple[str, ...]
    not_yours: Wrong
    apps: tuple[AppCase, ...]
    facts: Facts

    @property
    def name(self) -> str:
        return self.tenant.metadata.name

    @property
    def namespace(self) -> str:
        return self.tenant.metadata.namespace


def case_of(tenant: IntegrationTenant, observed: Observed, now: datetime, platform: Platform) -> Case | Wrong:
    seller = seller_of_tenant(tenant, observed)
    if isinstance(seller, tuple):
        return seller
    own = own_shops(tenant.spec.shops, seller)
    not_yours = own if isinstance(own, tuple) else ()
    if not_yours and tenant.status.design_id is None:
        return not_yours
    database = database_of_tenant(tenant, observed)
    if isinstance(database, tuple):
        return database
    if other := older(tenant, observed):
        message = (
            f"spec.databaseRef: database {database.name} of SellerRDS {tenant.spec.database_ref.name} is shared by "
            f"IntegrationTenant {other}, which is older: add apps and grants there, or delete one of the two"
        )
        return not_ready(Reason.CONFLICT, message)
    return Case(
        tenant=tenant,
        observed=observed,
        now=now,
        platform=platform,
        seller=seller,
        database=database,
        shops=tuple(sorted(set(tenant.spec.shops) & {shop.id for shop in seller.spec.shops})),
        not_yours=not_yours,
        apps=app_cases(tenant, seller, observed),
        facts=Facts.of(observed),
    )


def seller_of_tenant(tenant: IntegrationTenant, observed: Observed) -> Seller | Wrong:
    home = observed.ref(NAMESPACE, tenant.metadata.namespace)
    ref = seller_ref(home)
    raw = observed.refs.get(ref) if ref else None
    return seller_in_order(tenant.metadata.namespace, home, raw, tenant.status)


def database_of_tenant(tenant: IntegrationTenant, observed: Observed) -> Database | Wrong:
    """Without spec.databaseName it stays what it was found to be: another one may be added beside it."""
    name = tenant.spec.database_ref.name
    wanted = tenant.spec.database_name or tenant.status.database
    return shared_database(name, wanted, observed.ref(SELLERRDS, name, tenant.metadata.namespace))


def older(tenant: IntegrationTenant, observed: Observed) -> str:
    """The IntegrationTenant that shares the same database already; empty where there is none."""
    mine = _claim(tenant, observed)
    for raw in observed.within(INTEGRATIONTENANT, tenant.metadata.namespace):
        other = parsed(IntegrationTenant, raw)
        if (
            not isinstance(other, tuple)
            and other.metadata.uid != tenant.metadata.uid
            and _claim(other, observed) == mine
            and _age(raw) < _age_of(tenant)
        ):
            return other.metadata.name
    return ""


def _claim(tenant: IntegrationTenant, observed: Observed) -> tuple[str, str | None]:
    found = database_of_tenant(tenant, observed)
    name = tenant.spec.database_name if isinstance(found, tuple) else found.name
    return tenant.spec.database_ref.name, name


def _age(raw: Obj) -> tuple[str, str]:
    meta = raw["metadata"]
    return str(meta.get("creationTimestamp") or "9"), str(meta.get("uid"))


def _age_of(tenant: IntegrationTenant) -> tuple[str, str]:
    return str(tenant.metadata.creation_timestamp or "9"), tenant.metadata.uid
