# SPDX-License-Identifier: Apache-2.0
"""A server that Cairn doesn't run: no pods, only a checked connection, databases, roles and their Secrets. Pure."""

from __future__ import annotations

from datetime import datetime

from cairn.api.conditions import Condition, Reason, not_ready, progressing
from cairn.api.database import Address
from cairn.api.platform import Platform
from cairn.api.resources import SECRET, Obj
from cairn.api.secrets import is_cairns, raw, text
from cairn.api.sellerrds import External, SellerRDS
from cairn.engine.kind import Action, Observed, Plan
from cairn.rds import credentials, databases, report
from cairn.rds.credentials import Login


def plan_external(rds: SellerRDS, observed: Observed, now: datetime, platform: Platform) -> Plan:
    external = rds.spec.external
    if external is None:
        return Plan(conditions=not_ready(Reason.INVALID_SPEC, "spec.external is missing"), hold=True)
    wrong = _secret_wrong(rds, external, observed) or _data_exists(rds, observed) or _identity_wrong(rds, observed)
    if wrong:
        return Plan(status=report.kept(rds, None), conditions=wrong, hold=True)
    names = (database.name for database in rds.spec.databases)
    logins = credentials.logins(rds.metadata.name, rds.metadata.namespace, names, observed)
    facts = databases.facts_of(observed)
    # Nothing is minted for a server that was never reached: its name may be wrong.
    actions = (
        (*_minting(rds, external, logins, observed), *databases.actions(logins, observed, rds.spec.traits))
        if facts
        else ()
    )
    return Plan(
        status=_status(rds, external, logins, observed),
        conditions=_conditions(rds, logins, observed, minting=bool(actions)),
        actions=tuple(actions),
        next=databases.look_again(observed, now),
    )


def _conditions(
    rds: SellerRDS, logins: tuple[Login, ...], observed: Observed, *, minting: bool
) -> tuple[Condition, ...]:
    state = databases.state(logins, observed, rds.spec.traits)
    if minting and state[0].status:
        state = progressing(Reason.PROGRESSING, "connection Secrets are being made")
    return (*state, *databases.durability(observed))


def secrets_needed(external: External) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Field, name and keys of each Secret that the spec refers to."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    found.append(("spec.external.adminSecretRef", external.admin_secret_ref.name, ("username", "password")))
    if external.ca_secret_ref:
        found.append(("spec.external.caSecretRef", external.ca_secret_ref.name, ("ca.crt",)))
    return tuple(found)


def _secret_wrong(rds: SellerRDS, external: External, observed: Observed) -> tuple[Condition, ...] | None:
    namespace = rds.metadata.namespace
    if external.tls == "VerifyCA" and external.ca_secret_ref is None:
        message = "spec.external.caSecretRef: tls VerifyCA needs a Secret with the key ca.crt"
        return not_ready(Reason.INVALID_SPEC, message)
    for field, name, keys in secrets_needed(external):
        secret = observed.ref(SECRET, name, namespace)
        if secret is None:
            return not_ready(Reason.SECRET_NOT_FOUND, f"{field}: Secret {name} does not exist in {namespace}")
        if is_cairns(secret):
            message = f"{field}: Secret {name} is Cairn's own: make one with the login of the external server"
            return not_ready(Reason.INVALID_SPEC, message)
        if missing := [key for key in keys if not raw(secret, key)]:
            return not_ready(Reason.SECRET_NOT_FOUND, f"{field}: Secret {name} has no {' and no '.join(missing)}")
    return None


def _data_exists(rds: SellerRDS, observed: Observed) -> tuple[Condition, ...] | None:
    name, namespace = rds.metadata.name, rds.metadata.namespace
    names = credentials.secret_names(name, (database.name for database in rds.spec.databases))
    secrets = {secret: observed.child(SECRET, secret, namespace) for secret in names}
    left = credentials.secrets_of_another(secrets, rds.metadata.uid)
    if not left or rds.spec.adopt:
        return None
    message = (
        f"Secrets {', '.join(left)} of an earlier SellerRDS {name} stand: set spec.adopt: true to take them over, "
        "or delete them"
    )
    return not_ready(Reason.DATA_EXISTS, message)


def _identity_wrong(rds: SellerRDS, observed: Observed) -> tuple[Condition, ...] | None:
    recorded, found = rds.status.system_identifier, databases.facts_of(observed).get("systemIdentifier")
    if not recorded or not found or recorded == found:
        return None
    message = (
        f"spec.external.host: the server was {recorded} and is now {found}: another server answers. Point the name "
        "back, or make this object anew with spec.adopt: true"
    )
    return not_ready(Reason.IDENTITY_MISMATCH, message)


def _address(rds: SellerRDS, external: External, observed: Observed) -> Address:
    ca = external.ca_secret_ref
    secret = observed.ref(SECRET, ca.name, rds.metadata.namespace) if ca else None
    return Address(external.host, rds.spec.port, text(secret, "ca.crt"), rds.spec.engine)


def _minting(rds: SellerRDS, external: External, logins: tuple[Login, ...], observed: Observed) -> tuple[Action, ...]:
    address = _address(rds, external, observed)
    return tuple(
        databases.mint_login(login, address)
        for login in logins
        if credentials.outdated(login, address, observed.child(SECRET, login.secret, rds.metadata.namespace))
    )


def _status(rds: SellerRDS, external: External, logins: tuple[Login, ...], observed: Observed) -> Obj:
    found = report.kept(rds, None)
    facts = databases.facts_of(observed)
    for key in ("version", "systemIdentifier"):
        if fact := facts.get(key):
            found[key] = str(fact)
    if facts:
        found["databases"] = databases.standing(logins, observed)
    found["endpoint"] = {"host": external.host, "port": rds.spec.port}
    found["secrets"] = databases.secrets_status(rds.metadata.name, logins, external.admin_secret_ref.name)
    return found
