# SPDX-License-Identifier: Apache-2.0
"""Decisions about a server of our own before anything is built: its size, its storage, whose data there is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, not_ready, stalled
from cairn.api.lookup import Wrong, plan_of, plan_ref
from cairn.api.quantity import canonical, compare, for_container, parse, show
from cairn.api.resources import PVC, RESOURCEQUOTA, SECRET, STORAGECLASS, Obj
from cairn.api.secrets import raw
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Observed
from cairn.rds import credentials, objects


@dataclass(frozen=True, slots=True)
class Size:
    """Canonical quantities; storage is what the volume should hold at least, if anything is said about it."""

    cpu: str
    memory: str
    storage: str | None
    connections: int
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """size: what the claim should ask for; conditions: why that is not what the spec says"""

    size: str
    conditions: tuple[Condition, ...] = ()


def size_of(rds: SellerRDS, observed: Observed) -> Size | Wrong:
    storage = rds.spec.storage.size if rds.spec.storage else None
    if own := rds.spec.resources:
        return Size(for_container(own.cpu), for_container(own.memory), _canonical(storage), own.connections)
    if rds.spec.plan_ref is None:
        return stalled(Reason.INVALID_SPEC, "spec: one of planRef, resources and external must say how big or where")
    name = rds.spec.plan_ref.name
    current = name if _has(rds, name, observed) else None
    plan = plan_of("SellerRDS", name, observed.refs.get(plan_ref(name)), current=current)
    if isinstance(plan, tuple):
        return plan
    size = plan.spec.size
    if size.cpu is None or size.memory is None:
        return not_ready(Reason.INVALID_SPEC, f"ServicePlan {name}: spec.size must name cpu and memory")
    return Size(
        for_container(size.cpu),
        for_container(size.memory),
        _canonical(storage or size.storage),
        size.connections or 100,
        name,
    )


def _has(rds: SellerRDS, name: str, observed: Observed) -> bool:
    """Whether it has this plan already, or returns to it after a promotion."""
    plan = rds.status.plan
    if plan is None:
        return claim_of(rds, observed) is not None  # its making began with this plan
    return bool(plan.reason) or name in (plan.current, plan.target)


def claim_of(rds: SellerRDS, observed: Observed) -> Obj | None:
    return observed.child(PVC, objects.claim_name(rds.metadata.name), rds.metadata.namespace)


def annotation(obj: Obj | None, key: str) -> str | None:
    found = (((obj or {}).get("metadata") or {}).get("annotations") or {}).get(key)
    return str(found) if found else None


def data_wrong(rds: SellerRDS, observed: Observed) -> Wrong | None:
    """Whether data of this name stands that this object must not touch, or can't open."""
    name, namespace, uid = rds.metadata.name, rds.metadata.namespace, rds.metadata.uid
    claim, claim_name = claim_of(rds, observed), objects.claim_name(name)
    names = credentials.secret_names(name, (database.name for database in rds.spec.databases))
    secrets = {secret: observed.child(SECRET, secret, namespace) for secret in names}
    if claim is None:
        return _without_volume(rds, credentials.secrets_of_another(secrets, uid))
    labels = claim["metadata"].get("labels") or {}
    if labels.get("cairn.dev/owner-uid") != uid and not rds.spec.adopt:
        message = (
            f"volume {claim_name} holds the data of an earlier SellerRDS {name}: set spec.adopt: true to take it over,"
            f" or delete PersistentVolumeClaim {claim_name} and Secrets {name}-* to start empty"
        )
        return not_ready(Reason.DATA_EXISTS, message)
    admin = credentials.admin_login(name).secret
    if not raw(secrets[admin], "password"):
        message = (
            f"volume {claim_name} holds data and Secret {admin} with its password is gone: put the Secret back. "
            "Cairn makes no new password for data that has one"
        )
        return not_ready(Reason.CREDENTIALS_LOST, message)
    version = annotation(claim, objects.VERSION_ANNOTATION)
    if version and version != rds.spec.version:
        message = (
            f"spec.version: the data is of PostgreSQL {version} and the spec says {rds.spec.version}: set it back to "
            f'"{version}"; to change the major version, make a new SellerRDS and move the data with pg_dump'
        )
        return stalled(Reason.INVALID_SPEC, message)
    return None


def _without_volume(rds: SellerRDS, of_another: list[str]) -> Wrong | None:
    name, namespace = rds.metadata.name, rds.metadata.namespace
    claim = objects.claim_name(name)
    if identity := rds.status.system_identifier:
        message = (
            f"PersistentVolumeClaim {claim} with database {identity} is gone. Its volume is kept: find it with kubectl"
            f" get pv (claim {namespace}/{claim}) and make the claim anew on it, or delete this object to start empty"
        )
        return not_ready(Reason.VOLUME_LOST, message)
    if of_another:
        message = (
            f"Secrets {', '.join(of_another)} of an earlier SellerRDS {name} stand without their volume {claim}: "
            "put the claim back and set spec.adopt: true, or delete these Secrets to start empty"
        )
        return not_ready(Reason.DATA_EXISTS, message)
    return None


def storage_of(rds: SellerRDS, size: Size, observed: Observed) -> Storage | Wrong:
    """What the claim should ask for: it grows where the class can, and never shrinks."""
    claim = claim_of(rds, observed)
    spec = (claim or {}).get("spec") or {}
    live = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    wanted = size.storage or (canonical(live) if live else None)
    if wanted is None:
        return not_ready(Reason.INVALID_SPEC, "spec.storage.size: say how big the volume should be; no plan does")
    quota = observed.ref(RESOURCEQUOTA, pods.QUOTA, rds.metadata.namespace)
    if live is None:
        if missing := pods.over_quota(quota, {"requests.storage": wanted}):
            return not_ready(Reason.QUOTA_EXCEEDED, missing)
        return Storage(wanted)
    live = canonical(live)
    if compare(wanted, live) > 0:
        return _growth(spec, live, wanted, quota, observed)
    capacity = (((claim or {}).get("status") or {}).get("capacity") or {}).get("storage")
    if rds.spec.storage and rds.spec.storage.size and compare(wanted, live) < 0:
        message = f"spec.storage.size: {wanted} is less than the volume's {live}, and volumes never shrink: set it back"
        return Storage(live, (Condition("StorageResized", False, Reason.STORAGE_SHRINK_REFUSED, message),))
    if capacity and compare(capacity, live) < 0:
        message = f"the volume grows from {capacity} to {live}"
        return Storage(live, (Condition("StorageResized", False, Reason.PROGRESSING, message),))
    return Storage(live)


def may_grow(rds: SellerRDS, claim_spec: Obj, seen: Observed) -> bool:
    """Whether the StorageClass has to be looked at: more is wanted than the claim asks for."""
    live = ((claim_spec.get("resources") or {}).get("requests") or {}).get("storage")
    wanted = rds.spec.storage.size if rds.spec.storage else None
    if wanted is None and rds.spec.plan_ref:
        plan = seen.refs.get(plan_ref(rds.spec.plan_ref.name)) or {}
        wanted = ((plan.get("spec") or {}).get("size") or {}).get("storage")
    try:
        return bool(live and wanted and compare(wanted, live) > 0)
    except ValueError:
        return False


def _growth(spec: Obj, live: str, wanted: str, quota: Obj | None, observed: Observed) -> Storage:
    name = spec.get("storageClassName") or ""
    storage_class = observed.ref(STORAGECLASS, name) if name else None
    if not (storage_class or {}).get("allowVolumeExpansion"):
        message = f"spec.storage.size: StorageClass {name or '(none)'} can't grow the volume from {live} to {wanted}"
        return Storage(live, (Condition("StorageResized", False, Reason.STORAGE_CLASS_CANNOT_GROW, message),))
    more = show(parse(wanted) - parse(live), binary=wanted.endswith("i"))
    if missing := pods.over_quota(quota, {"requests.storage": more}):
        return Storage(live, (Condition("StorageResized", False, Reason.QUOTA_EXCEEDED, missing),))
    message = f"the volume grows from {live} to {wanted}"
    return Storage(wanted, (Condition("StorageResized", False, Reason.PROGRESSING, message),))


def _canonical(quantity: str | None) -> str | None:
    return canonical(quantity) if quantity else None
