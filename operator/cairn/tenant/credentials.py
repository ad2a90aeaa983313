# SPDX-License-Identifier: Apache-2.0
"""What an app's Secret holds and should hold. Pure: no password ever leaves here but into the Secret's own keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cairn.api.database import Address, connection_data
from cairn.api.platform import Platform
from cairn.api.resources import SECRET, Obj
from cairn.api.secrets import text
from cairn.sql.share import names as sql_names
from cairn.tenant.apps import AppCase
from cairn.tenant.case import Case

GENERATION, ROTATED_AT = "generation", "rotated-at"
MOST_DIGITS, LONGEST, LAST_YEAR = 9, 256, 9000
"""Of what a Secret holds: its vendor may write in it. What is beyond these is not Cairn's."""


@dataclass(frozen=True, slots=True)
class Held:
    """generation: how many passwords there were; 0 where none ever was. usable: the Secret holds the last one"""

    generation: int
    rotated_at: datetime | None
    usable: bool


def held(app: AppCase, party: str, known: int) -> Held:
    """known: the generation that status tells of: a Secret that was lost does not begin anew, its last login is held by
    somebody. A Secret for another party is none: the app was made anew since."""
    username = text(app.secret, "username")
    if app.secret is None or not is_ours(app.secret, app.home.tenant) or username not in sql_names.logins(party):
        return Held(known, None, usable=False)
    found = text(app.secret, GENERATION)
    counts = found.isascii() and found.isdigit() and len(found) <= MOST_DIGITS
    generation = max(int(found) if counts else 0, known)
    rotated = _moment(text(app.secret, ROTATED_AT))
    usable = bool(counts and generation and rotated and _is_password(password(app)))
    return Held(generation, rotated if usable else None, usable)


def password(app: AppCase) -> str:
    return text(app.secret, "password")


def _is_password(value: str) -> bool:
    """Whether a server can be told of it."""
    return 0 < len(value) <= LONGEST and value.isascii() and value.isprintable()


def is_ours(secret: Obj, tenant: str) -> bool:
    labels = secret["metadata"].get("labels") or {}
    marks = (labels.get("cairn.dev/owner-kind"), labels.get("cairn.dev/owner-name"))
    return labels.get("app.kubernetes.io/managed-by") == "cairn" and marks == ("IntegrationTenant", tenant)


def is_foreign(app: AppCase) -> bool:
    """Somebody else's Secret has the name: it is left alone, and the app gets none."""
    return app.secret is not None and not is_ours(app.secret, app.home.tenant)


def content(case: Case, app: AppCase, party: str, login: str, password: str) -> dict[str, str]:
    """The keys that tell where and as whom to connect, by servicebinding.io, and how to sign people on."""
    owner = case.database.owner
    ca = text(case.observed.ref(SECRET, owner, case.namespace), "ca.crt") if owner else ""
    address = Address(case.database.host, case.database.port, ca)
    found = connection_data(address, login, case.database.name, password)
    found |= {
        "share-schema": sql_names.shares(party),
        "publish-schema": sql_names.published(party),
        "work-schema": sql_names.work(party),
    }
    return found | sign_on(case.platform, app)


def sign_on(platform: Platform, app: AppCase) -> dict[str, str]:
    """Empty where the platform has no sign-on. The client is the app's own: a token for it is good nowhere else."""
    identity = platform.identity
    if not identity.issuer:
        return {}
    return {
        "oidc-issuer": identity.issuer,
        "oidc-client-id": identity.client_id_of(app.home.namespace, app.home.seller_id, app.name),
        "oidc-role-claim": identity.role_claim,
        "oidc-group-prefix": f"cairn:{app.home.seller_id}:",
    }


def outdated(case: Case, app: AppCase, party: str) -> bool:
    """Whether the Secret says anything else than is so, the login aside."""
    login, password = text(app.secret, "username"), text(app.secret, "password")
    wanted = content(case, app, party, login, password)
    return any(text(app.secret, key) != value for key, value in wanted.items())


def stamps(generation: int, at: datetime) -> Mapping[str, str]:
    return {GENERATION: str(generation), ROTATED_AT: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _moment(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    if found.year > LAST_YEAR:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
