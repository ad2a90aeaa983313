# SPDX-License-Identifier: Apache-2.0
"""A database of a SellerRDS, as whoever uses one finds it: where it is, whether it serves, which Secrets open it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from cairn.api.conditions import Reason, not_ready, progressing
from cairn.api.lookup import Wrong, parsed
from cairn.api.resources import Obj
from cairn.api.sellerrds import SellerRDS


@dataclass(frozen=True, slots=True)
class Database:
    """A SellerRDS with its endpoint. name: of the database; owner: the Secret of its owner's login; stopped: as its
    user asked"""

    rds: SellerRDS
    name: str
    host: str
    port: int
    owner: str | None
    ready: bool
    stopped: bool = False

    @property
    def trouble(self) -> str:
        """Why it does not serve, for people; empty where it does."""
        rds = self.rds.metadata.name
        if self.stopped:
            return f"SellerRDS {rds} is stopped: start it with spec.powerState: Running"
        return "" if self.ready else f"SellerRDS {rds} is not ready, or has not made the database yet"


def database_of(rds: str, wanted: str | None, raw: Obj | None) -> Database | Wrong:
    """The database that spec.databaseRef (`rds`) and spec.databaseName name; `raw` is the SellerRDS as it stands.
    Without a name: the only one there is."""
    if raw is None:
        return not_ready(Reason.DATABASE_NOT_FOUND, f"spec.databaseRef: SellerRDS {rds} does not exist")
    found = parsed(SellerRDS, raw)
    if isinstance(found, tuple):
        return not_ready(Reason.DATABASE_NOT_READY, f"SellerRDS {rds} can't be read: {found[0].message}")
    declared = [entry.name for entry in found.spec.databases]
    name = wanted or (declared[0] if len(declared) == 1 else None)
    has = ", ".join(declared) or "none"
    if name is None:
        message = f"spec.databaseName: SellerRDS {rds} has not just one database but {has}: name one of them"
        return not_ready(Reason.DATABASE_NOT_FOUND, message)
    if name not in declared:
        message = f"spec.databaseName: SellerRDS {rds} has no database {name} in spec.databases; it has {has}"
        return not_ready(Reason.DATABASE_NOT_FOUND, message)
    status = found.status
    if status.endpoint is None or status.secrets is None:
        return progressing(Reason.DATABASE_NOT_READY, f"SellerRDS {rds} is being made")
    ready = any(entry.type == "Ready" and entry.status == "True" for entry in status.conditions)
    stopped = any(entry.type == "Ready" and entry.reason == Reason.STOPPED for entry in status.conditions)
    stands = name in (status.databases or ())
    return Database(
        rds=found,
        name=name,
        host=status.endpoint.host,
        port=status.endpoint.port,
        owner=status.secrets.owner,
        ready=ready and stands and not stopped,
        stopped=stopped,
    )


def admin_secret(rds: SellerRDS) -> str:
    """The Secret with the operator's login: Cairn's own, or the one that the seller gave for an external server."""
    return rds.spec.external.admin_secret_ref.name if rds.spec.external else f"{rds.metadata.name}-admin"


def ca_secret(rds: SellerRDS) -> str | None:
    """The Secret with the authority that the server is checked against."""
    external = rds.spec.external
    if external is None:
        return f"{rds.metadata.name}-ca"
    return external.ca_secret_ref.name if external.ca_secret_ref else None


def secrets(rds: SellerRDS) -> tuple[str, ...]:
    """Every Secret that a user of the database needs to see of it."""
    found = {admin_secret(rds), ca_secret(rds), rds.status.secrets.owner if rds.status.secrets else None}
    return tuple(sorted(name for name in found if name))


@dataclass(frozen=True, slots=True)
class Address:
    """Where clients connect, and the authority they check the server against (PEM, public)."""

    host: str
    port: int
    ca: str


def connection_data(address: Address, username: str, database: str, password: str) -> dict[str, str]:
    """What a connection Secret holds, by the keys of servicebinding.io."""
    port = str(address.port)
    login = f"{username}:{quote(password, safe='')}"
    where = f"[{address.host}]" if ":" in address.host else address.host
    return {
        "type": "postgresql",
        "provider": "cairn",
        "host": address.host,
        "port": port,
        "username": username,
        "password": password,
        "database": database,
        "uri": f"postgresql://{login}@{where}:{port}/{database}?sslmode=require",
        "ca.crt": address.ca,
    }
