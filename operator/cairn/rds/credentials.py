# SPDX-License-Identifier: Apache-2.0
"""Which Secrets a database has, what each must hold, and what is missing of it. Pure: no value ever leaves here.

Passwords and keys are minted by actions; the plan names the Secret and what it is for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from cairn.api.database import Address, connection_data
from cairn.api.resources import SECRET, Obj
from cairn.api.secrets import raw, text
from cairn.engine.kind import Observed
from cairn.rds import config

RENEW_BEFORE = timedelta(days=30)
"""A certificate is renewed this long before it ends."""
BACKDATED = timedelta(hours=1)
"""Certificates begin this long before they were issued: the clocks of clients differ."""


@dataclass(frozen=True, slots=True)
class Login:
    """A login and the Secret that its user reads. role: admin, owner or reader"""

    secret: str
    role: str
    username: str
    database: str


def ca_secret(name: str) -> str:
    return f"{name}-ca"


def tls_secret(name: str) -> str:
    return f"{name}-tls"


def admin_login(name: str) -> Login:
    return Login(f"{name}-admin", "admin", config.ADMIN, "postgres")


def owner_role(database: str) -> str:
    return f"{database}_owner"


def reader_role(database: str) -> str:
    return f"{database}_reader"


def logins(name: str, namespace: str, databases: Iterable[str], observed: Observed) -> tuple[Login, ...]:
    """An owner and a reader for each database. One database has the short names `<name>-owner`, `<name>-reader`:
    the one whose Secret stands already, else the first. Reordering the list must not swap passwords.
    """
    wanted = tuple(databases)
    standing = text(observed.child(SECRET, f"{name}-owner", namespace), "database")
    main = standing if standing in wanted else (wanted[0] if wanted else "")
    found = []
    for database in wanted:
        prefix = name if database == main else long_prefix(name, database)
        found.append(Login(f"{prefix}-owner", "owner", owner_role(database), database))
        found.append(Login(f"{prefix}-reader", "reader", reader_role(database), database))
    return tuple(found)


def long_prefix(name: str, database: str) -> str:
    return f"{name}-{database.replace('_', '-')}"


def secret_names(name: str, databases: Iterable[str]) -> tuple[str, ...]:
    """Every Secret that may have been made for this database, to be read by name."""
    wanted = tuple(databases)
    prefixes = [name] + ([long_prefix(name, database) for database in wanted] if len(wanted) > 1 else [])
    short = (ca_secret(name), tls_secret(name), f"{name}-admin")
    return (*short, *(f"{prefix}-{role}" for prefix in prefixes for role in ("owner", "reader")))


def connection(login: Login, address: Address, password: str) -> dict[str, str]:
    """What the login's Secret holds."""
    return connection_data(address, login.username, login.database, password)


def outdated(login: Login, address: Address, secret: Obj | None) -> bool:
    """Whether the Secret is missing, or says anything else than is so."""
    password = text(secret, "password")
    if not password:
        return True
    return any(text(secret, key) != value for key, value in connection(login, address, password).items())


def certificate(secret: Obj | None, key: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(raw(secret, key))
    except ValueError:
        return None


def authorities(pem: str, at_most: int) -> bytes:
    """The first certificates of a bundle, in PEM; empty where there is none."""
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        return b""
    return b"".join(one.public_bytes(Encoding.PEM) for one in found[:at_most])


def renewal_due(found: x509.Certificate, now: datetime) -> bool:
    return renew_at(found) <= now


def renew_at(found: x509.Certificate) -> datetime:
    return found.not_valid_after_utc - RENEW_BEFORE


def issued_at(found: x509.Certificate) -> datetime:
    return found.not_valid_before_utc + BACKDATED


def ca_stands(secret: Obj | None, as_of: datetime) -> bool:
    found = certificate(secret, "ca.crt")
    return found is not None and bool(raw(secret, "ca.key")) and not renewal_due(found, as_of)


def tls_stands(secret: Obj | None, ca: Obj | None, names: tuple[str, ...], as_of: datetime) -> bool:
    """The server's certificate is of this CA, holds every name, and has not to be renewed at `as_of` yet."""
    found = certificate(secret, "tls.crt")
    if found is None or not raw(secret, "tls.key") or renewal_due(found, as_of):
        return False
    if raw(secret, "ca.crt") != raw(ca, "ca.crt"):
        return False
    try:
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    return set(names) <= set(held.get_values_for_type(x509.DNSName))


def secrets_of_another(secrets: Mapping[str, Obj | None], uid: str) -> list[str]:
    """Secrets that an earlier object of this name left behind."""
    return [
        name
        for name, secret in secrets.items()
        if secret is not None
        and ((secret.get("metadata") or {}).get("labels") or {}).get("cairn.dev/owner-uid") not in (uid, None)
    ]


def parse_time(value: object) -> datetime | None:
    """A time as Kubernetes or `datetime.isoformat` writes it."""
    try:
        found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
