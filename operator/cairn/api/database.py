# SPDX-License-Identifier: Apache-2.0
"""A database of a SellerRDS, as whoever uses one finds it: where it is, whether it serves, which Secrets open it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from cairn.api.conditions import Reason, not_ready, progressing, stalled
from cairn.api.engines import ENGINES, EngineName
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

    @property
    def authority(self) -> str | None:
        """The Secret whose ca.crt the server is checked against by those who connect."""
        return self.owner or ca_secret(self.rds)


def database_of(rds: str, wanted: str | None, raw: Obj | None) -> Database | Wrong:
    """The database that spec.databaseRef (`rds`) and spec.databaseName name; `raw` is the SellerRDS as it stands.
    Without a name: the only one there is."""
    found = _server(rds, raw)
    if isinstance(found, tuple):
        return found
    declared = [entry.name for entry in found.spec.databases]
    name = wanted or (declared[0] if len(declared) == 1 else None)
    has = ", ".join(declared) or "none"
    if name is None:
        message = f"spec.databaseName: SellerRDS {rds} has not just one database but {has}: name one of them"
        return not_ready(Reason.DATABASE_NOT_FOUND, message)
    if name not in declared:
        message = f"spec.databaseName: SellerRDS {rds} has no database {name} in spec.databases; it has {has}"
        return not_ready(Reason.DATABASE_NOT_FOUND, message)
    return _standing(found, name, stands=name in (found.status.databases or ()))


def pushed_database(rds: str, wanted: str | None, raw: Obj | None) -> Database | Wrong:
    """The database that records are pushed into, by the same fields: named, or not, as the engine wants it."""
    found = _server(rds, raw)
    if isinstance(found, tuple):
        return found
    traits = found.spec.traits
    if traits.pushed_into is None:
        if wanted is not None:
            return database_of(rds, wanted, raw)
        has = ", ".join(entry.name for entry in found.spec.databases) or "none"
        message = (
            f"spec.databaseName is missing: SellerRDS {rds} is {traits.title} and has the databases {has}; make "
            "another PushSubscription that names one"
        )
        return stalled(Reason.INVALID_SPEC, message)
    if wanted is not None:
        message = (
            f"spec.databaseName: {wanted} can't be chosen on SellerRDS {rds}, which is {traits.title}: records go to "
            f"the databases {traits.pushed_into} and platform there; make another PushSubscription without databaseName"
        )
        return stalled(Reason.INVALID_SPEC, message)
    return _standing(found, traits.pushed_into, stands=True)


def shared_database(rds: str, wanted: str | None, raw: Obj | None) -> Database | Wrong:
    """As `database_of`, where an IntegrationTenant can share it."""
    found = _server(rds, raw)
    if isinstance(found, SellerRDS) and not found.spec.traits.shared:
        able = ", ".join(name for name, traits in ENGINES.items() if traits.shared)
        message = (
            f"spec.databaseRef: SellerRDS {rds} is {found.spec.traits.title}, whose data can't be shared yet: make "
            f"another IntegrationTenant on a SellerRDS of engine {able}"
        )
        return stalled(Reason.INVALID_SPEC, message)
    return database_of(rds, wanted, raw)


def _server(rds: str, raw: Obj | None) -> SellerRDS | Wrong:
    if raw is None:
        return not_ready(Reason.DATABASE_NOT_FOUND, f"spec.databaseRef: SellerRDS {rds} does not exist")
    found = parsed(SellerRDS, raw)
    if isinstance(found, tuple):
        return not_ready(Reason.DATABASE_NOT_READY, f"SellerRDS {rds} can't be read: {found[0].message}")
    return found


def _standing(found: SellerRDS, name: str, *, stands: bool) -> Database | Wrong:
    status = found.status
    if status.endpoint is None or status.secrets is None:
        return progressing(Reason.DATABASE_NOT_READY, f"SellerRDS {found.metadata.name} is being made")
    ready = any(entry.type == "Ready" and entry.status == "True" for entry in status.conditions)
    stopped = any(entry.type == "Ready" and entry.reason == Reason.STOPPED for entry in status.conditions)
    return Database(
        rds=found,
        name=name,
        host=status.endpoint.host,
        port=status.endpoint.port,
        owner=status.secrets.owner,
        ready=ready and stands and not stopped,
        stopped=stopped,
    )


def pushed_into(rds: SellerRDS, named: str | None) -> str | None:
    """The database that records go to. named: spec.databaseName of the subscription"""
    return rds.spec.traits.pushed_into or named


def read_by(rds: SellerRDS, pushed: str) -> tuple[str, ...]:
    """Databases of spec.databases whose readers read what is pushed into this one."""
    return tuple(entry.name for entry in rds.spec.databases) if rds.spec.traits.pushed_into else (pushed,)


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
    engine: EngineName = "postgresql"


def connection_data(address: Address, username: str, database: str, password: str) -> dict[str, str]:
    """What a connection Secret holds, by the keys of servicebinding.io."""
    port = str(address.port)
    login = f"{username}:{quote(password, safe='')}"
    where = f"[{address.host}]" if ":" in address.host else address.host
    return {
        "type": address.engine,
        "provider": "cairn",
        "host": address.host,
        "port": port,
        "username": username,
        "password": password,
        "database": database,
        "uri": ENGINES[address.engine].uri.format(login=login, where=where, port=port, database=database),
        "ca.crt": address.ca,
    }
