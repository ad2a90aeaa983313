# SPDX-License-Identifier: Apache-2.0
"""What is effective: what an app asks for and the seller grants, of one contract and for one purpose. Pure.

The grant alone says which contract, columns, masks and rows; the request can only take away from it. So a request that
grows, or that pins another contract, changes nothing until the seller has consented.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from cairn.api.conditions import Reason
from cairn.api.contract import Contract, ContractError
from cairn.api.dataset import Dataset
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import IntegrationTenant
from cairn.tenant import asked
from cairn.tenant.offer import Judged, judge
from cairn.tenant.publish import published
from cairn.tenant.terms import AppConsent, Effective, Problem, Shown, World, few

__all__ = ["AppConsent", "Effective", "Problem", "Shown", "effective"]


def effective(
    tenant: IntegrationTenant,
    apps: Mapping[str, IntegrationApp],
    contracts: Mapping[str, Contract | ContractError],
    datasets: Mapping[str, Dataset],
    shops: Collection[str],
    now: datetime,
    ended: Collection[str],
    named: Mapping[str, Collection[str]] | None = None,
) -> Effective:
    """At `now`.

    apps: those that are served, by the name of their entry; contracts: by their hash; datasets: those that stand in
    this database; shops: the seller's own, by id; ended: keys of grants that the database remembers to have ended;
    named: hashes found by the ConfigMap's name, to tell a contract that was changed from one that is not there
    """
    world = World(tenant, apps, contracts, datasets, shops, now, ended, named or {})
    tables, wrong = published(world)
    judged = [judge(grant, world, tables) for grant in sorted(tenant.spec.grants, key=lambda one: one.name)]
    _one_view_each(judged)
    consents = {name: asked.consent(name, app, judged, world) for name, app in sorted(apps.items())}
    return Effective(
        apps=consents,
        pending=few([f"app {name}: {text}" for name, one in consents.items() for text in one.pending]),
        grants=tuple(problem for one in judged for problem in one.problems),
        publications=wrong,
        tables=tuple(tables[name] for name in sorted(tables)),
        wanted=frozenset(
            [one.read.sha256 for one in judged if one.read] + [one.contract.sha256 for one in tables.values()]
        ),
        ended=frozenset(one.key for one in judged if one.ended),
        next=min((one.next for one in judged if one.next), default=None),
    )


def _one_view_each(judged: list[Judged]) -> None:
    """An app reads its tables by the names of its contracts: of two with one name the first grant's stays."""
    taken: dict[tuple[str, str], str] = {}
    for one in judged:
        for shown in tuple(one.shown):
            first = taken.setdefault((shown.app, shown.name), f"{one.grant.name} ({shown.source})")
            if first != f"{one.grant.name} ({shown.source})":
                one.shown.remove(shown)
                text = f"{shown.app} reads a table {shown.name} by grant {first}: remove one of the two"
                one.wrong(Reason.CONFLICT, text)
