# SPDX-License-Identifier: Apache-2.0
"""What a tenant, its apps' requests and the contracts come to at one moment, with the logins that go with it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from cairn.api.contract import KEY, Contract, ContractError, read, sha256_of
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import Grant
from cairn.api.resources import CONFIGMAP
from cairn.api.schedule import duration
from cairn.datasets import known
from cairn.engine.kind import Observed
from cairn.sql.share import names as sql_names
from cairn.sql.share.model import Design, Login, Party
from cairn.tenant import credentials, names
from cairn.tenant.apps import AppCase
from cairn.tenant.case import Case
from cairn.tenant.consent import Effective, effective
from cairn.tenant.credentials import Held
from cairn.tenant.design import design_of
from cairn.tenant.rotation import Rotation, rotation

PATIENCE = 4
"""In the last part of this many of an overlap, sessions of the login before are told of."""


@dataclass(frozen=True, slots=True)
class AppAgreed:
    """One app that is served. id: of its party; logins: its two, a and b"""

    id: str
    held: Held
    rotation: Rotation
    overlap: timedelta

    @property
    def logins(self) -> tuple[Login, ...]:
        pairs = zip("ab", sql_names.logins(self.id), strict=True)
        return tuple(Login(name, letter in self.rotation.enabled) for letter, name in pairs)

    @property
    def active(self) -> str | None:
        return self._name(self.rotation.active) if self.rotation.active else None

    @property
    def coming(self) -> str:
        """The login that gets the next password."""
        return self._name(self.rotation.mint)

    @property
    def old(self) -> str | None:
        """The login before, while it still works."""
        rest = [letter for letter in self.rotation.enabled if letter != self.rotation.active]
        return self._name(rest[0]) if rest and self.rotation.active else None

    @property
    def old_until(self) -> datetime | None:
        return self.held.rotated_at + self.overlap if self.old and self.held.rotated_at else None

    @property
    def patience(self) -> timedelta:
        return self.overlap / PATIENCE

    def _name(self, letter: str) -> str:
        return sql_names.logins(self.id)["ab".index(letter)]


@dataclass(frozen=True, slots=True)
class Agreed:
    """apps: those that are served, by entry; contracts: the texts that were consented to, by hash

    reasons, pins: for the audit: why rights change, by a grant's key or a party's id, and the contract by a grant's key
    """

    design: Design
    apps: Mapping[str, AppAgreed]
    effective: Effective
    contracts: Mapping[str, str]
    reasons: Mapping[str, str]
    pins: Mapping[str, str]

    def renewed(self, names: Collection[str]) -> Design:
        """The same, with the next logins of these apps enabled beside those that are."""
        coming = {self.apps[name].id: self.apps[name].coming for name in names}
        return replace(self.design, parties=tuple(_renewed(one, coming.get(one.id)) for one in self.design.parties))

    @property
    def next(self) -> datetime | None:
        moments = (self.effective.next, *(app.rotation.next for app in self.apps.values()))
        return min((moment for moment in moments if moment), default=None)


def agree(case: Case) -> Agreed:
    requests = {app.name: app.served for app in case.apps if app.served}
    apps = {app.name: _app(case, app, app.served) for app in case.apps if app.served}
    maps = _maps(case.observed)
    named = {name: [sha256_of(text.encode()) for text in texts] for name, texts in maps.items()}
    texts = {sha256_of(text.encode()): text for texts in maps.values() for text in texts}
    # Before anybody has looked, nothing is done either: a rendering shows all that could be.
    look = case.facts.observation
    datasets = {
        name: one for name, one in known(case.platform.datasets).items() if look is None or name in look.datasets
    }
    ended = look.ended if look else frozenset()
    contracts = {sha256: _read(text) for sha256, text in texts.items()}
    found = effective(case.tenant, requests, contracts, datasets, case.shops, case.now, ended, named)
    design = design_of(
        case.seller.metadata.uid,
        case.database.rds.metadata.uid,
        case.database.name,
        case.tenant,
        requests,
        found,
        logins={name: one.logins for name, one in apps.items()},
        shops=case.shops,
        datasets=datasets,
        readers=(f"{case.database.name}_reader",),
        ended=ended,
    )
    grants = {_key(case, grant): grant for grant in case.tenant.spec.grants}
    reasons = {one.id: f"app {name} is served" for name, one in apps.items()}
    return Agreed(
        design=design,
        apps=apps,
        effective=found,
        contracts={one: texts[one] for one in sorted(found.wanted) if one in texts},
        reasons=reasons
        | {key: f"grant {grant.name} to {grant.app} for {grant.purpose}" for key, grant in grants.items()},
        pins={key: grant.contract.sha256 for key, grant in grants.items()},
    )


def _key(case: Case, grant: Grant) -> str:
    uid = case.tenant.metadata.uid
    return names.grant_key(uid, grant.name, grant.app, grant.contract.sha256, grant.expires_at)


def passwords(case: Case, agreed: Agreed) -> dict[str, str]:
    """Of the logins that Secrets name. For a deed or a look alone: never part of a plan."""
    found = {}
    for app in case.apps:
        mine = agreed.apps.get(app.name)
        if mine and mine.active and mine.held.usable:
            found[mine.active] = credentials.password(app)
    return found


def _app(case: Case, app: AppCase, request: IntegrationApp) -> AppAgreed:
    party = names.party_id(case.seller.metadata.uid, request.metadata.uid)
    before = next((one for one in case.tenant.status.apps if one.name == app.name), None)
    held = credentials.held(app, party, (before and before.credential_generation) or 0)
    rules = request.spec.credentials
    overlap = duration(rules.overlap)
    turn = rotation(held.generation, held.rotated_at, case.now, duration(rules.rotate_every), overlap)
    return AppAgreed(party, held, turn, overlap)


def _renewed(party: Party, coming: str | None) -> Party:
    logins = tuple(replace(one, enabled=one.enabled or one.name == coming) for one in party.logins)
    return replace(party, logins=logins)


def _maps(observed: Observed) -> dict[str, list[str]]:
    """Every contract in sight by the name of its ConfigMap: offered ones and Cairn's own copies alike."""
    found: dict[str, list[str]] = {}
    for ref, obj in (*observed.refs.items(), *observed.children.items()):
        text = ((obj or {}).get("data") or {}).get(KEY) if ref.resource == CONFIGMAP else None
        if isinstance(text, str):
            found.setdefault(ref.name, []).append(text)
    return found


@lru_cache(maxsize=256)
def _read(text: str) -> Contract | ContractError:
    try:
        return read(text.encode())
    except ContractError as error:
        return error
