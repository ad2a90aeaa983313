# SPDX-License-Identifier: Apache-2.0
"""Every Kubernetes object of a tenant. Pure.

What stays with an app's namespace when the app goes is retained: guards, quota, and Cairn's own rights there. What
gives access is not: it is pruned as soon as it is no longer planned.
"""

from __future__ import annotations

from collections.abc import Iterator

from cairn.api.resources import Obj, ref_of
from cairn.engine.kind import Child
from cairn.tenant import objects
from cairn.tenant.agreed import Agreed
from cairn.tenant.apps import AppCase, State
from cairn.tenant.case import Case

CONNECTS = (State.ANNOUNCED, State.SERVED)


def children(case: Case, agreed: Agreed) -> Iterator[Child]:
    accounts = {account.name: account.role for account in case.tenant.spec.accounts}
    for one in objects.staff(case.name, case.namespace, case.seller.spec.id, accounts):
        yield Child(one)
    for sha256, text in sorted(agreed.contracts.items()):
        yield Child(objects.contract(case.name, case.namespace, sha256, text))
    connecting = [app.home.namespace for app in case.apps if app.state in CONNECTS]
    rds = case.database.rds
    if connecting and rds.spec.external is None:
        yield Child(objects.ways_in(case.name, case.namespace, rds.metadata.name, connecting))
    for app in case.apps:
        yield from _app(case, app)


def _app(case: Case, app: AppCase) -> Iterator[Child]:
    if app.state is State.CONFLICT or (app.namespace is None and app.size is None):
        return
    if not (app.namespace and "deletionTimestamp" in app.namespace["metadata"]):
        yield Child(objects.namespace(app.home), retain=True, adopt=True)
    if app.namespace is None or "deletionTimestamp" in app.namespace["metadata"]:
        return
    # Cairn has no right in the namespace but what this one gives: until it stands, nothing else can be written.
    yield Child(objects.operator_binding(app.home, case.platform.namespace), retain=True, adopt=True)
    lasting = objects.lasting(app.home, app.size) if app.size is not None else ()
    for one in lasting:
        if _possible(case, app, one):
            yield Child(one, retain=True, adopt=True)
    for one in _passing(case, app):
        if _possible(case, app, one):
            yield Child(one)


def _possible(case: Case, app: AppCase, one: Obj) -> bool:
    return app.stands or ref_of(one) in case.observed.children


def _passing(case: Case, app: AppCase) -> Iterator[Obj]:
    """What gives access, to the vendor's people and to the app's pods."""
    yield objects.developers(app.home, app.entry.vendor_app_key, app.entry.developers)
    denied = case.platform.external_databases.denied_networks
    if app.state in CONNECTS:
        rds = case.database.rds
        yield objects.way_to_database(app.home, rds.metadata.name, case.namespace, rds.spec.outside, denied)
    sign_on = case.platform.identity
    if sign_on.issuer and sign_on.networks:
        yield objects.way_to_sign_on(app.home, sign_on.issuer, sign_on.networks)
    openings = ((one.cidr, one.port) for one in app.entry.egress)
    for found in (
        objects.ways_out(app.home, openings, denied),
        objects.access(app.home, app.entry.access.from_namespaces),
    ):
        if found is not None:
            yield found
