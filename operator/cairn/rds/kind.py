# SPDX-License-Identifier: Apache-2.0
"""SellerRDS as the engine knows it: what it makes, owns and wants to see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cairn.api import pods
from cairn.api.lookup import parsed, seller_ref
from cairn.api.platform import Platform
from cairn.api.resources import (
    CONFIGMAP,
    LIMITRANGE,
    NAMESPACE,
    NETWORKPOLICY,
    PDB,
    POD,
    PV,
    PVC,
    RESOURCEQUOTA,
    SECRET,
    SELLERRDS,
    SERVICE,
    STATEFULSET,
    STORAGECLASS,
    Obj,
    Ref,
    Resource,
)
from cairn.api.sellerrds import SellerRDS
from cairn.calendar import asked
from cairn.engine.kind import Action, Io, Observed, Plan, Want, Within
from cairn.rds import credentials, decide
from cairn.rds.act import act
from cairn.rds.external import secrets_needed
from cairn.rds.plan import plan_sellerrds
from cairn.rds.probe import probe


class SellerRDSKind:
    """A SellerRDS becomes a database server with its volume, credentials and guards."""

    resource: Resource = SELLERRDS
    model: type[BaseModel] = SellerRDS
    children: tuple[Resource, ...] = (STATEFULSET, POD, PVC, SERVICE, CONFIGMAP, PDB, NETWORKPOLICY)
    finalizer = True

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def unwatched(self, obj: Obj) -> Iterable[Ref]:
        rds = parsed(SellerRDS, obj)
        if isinstance(rds, SellerRDS):
            names = credentials.secret_names(rds.metadata.name, (database.name for database in rds.spec.databases))
            yield from (Ref(SECRET, rds.metadata.namespace, name) for name in names)

    def wants(self, obj: Obj, seen: Observed) -> Iterable[Want]:
        rds = parsed(SellerRDS, obj)
        if not isinstance(rds, SellerRDS):
            return
        namespace = rds.metadata.namespace
        yield Ref(NAMESPACE, "", namespace)
        if ref := seller_ref(seen.ref(NAMESPACE, namespace)):
            yield ref
        yield from asked.refs(rds)
        if asked.preflight_on(rds, seen.refs):
            yield Within(LIMITRANGE, namespace)
        if external := rds.spec.external:
            yield from (Ref(SECRET, namespace, name) for _, name, _ in secrets_needed(external))
            return
        yield Ref(RESOURCEQUOTA, namespace, pods.QUOTA)
        claim = (decide.claim_of(rds, seen) or {}).get("spec") or {}
        if claim.get("volumeName"):
            yield Ref(PV, "", claim["volumeName"])
        if claim.get("storageClassName") and decide.may_grow(rds, claim, seen):
            yield Ref(STORAGECLASS, "", claim["storageClassName"])

    async def probe(self, obj: Obj, observed: Observed, io: Io) -> Mapping[str, Any]:
        rds = parsed(SellerRDS, obj)
        return await probe(rds, observed, self._platform) if isinstance(rds, SellerRDS) else {}

    def plan(self, obj: Obj, observed: Observed, now: datetime) -> Plan:
        return plan_sellerrds(obj, observed, now, self._platform)

    async def act(self, action: Action, obj: Obj, observed: Observed, io: Io) -> None:
        rds = parsed(SellerRDS, obj)
        if isinstance(rds, SellerRDS):
            await act(action, rds, observed, io, self._platform)
