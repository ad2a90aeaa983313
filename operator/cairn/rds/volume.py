# SPDX-License-Identifier: Apache-2.0
"""The volume behind the claim. Pure."""

from __future__ import annotations

from cairn.api.resources import PV, PVC, Obj
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Action, Observed
from cairn.rds import objects


def bound(observed: Observed, namespace: str, claim: str) -> Obj | None:
    """The volume of a claim of ours, if both say so: a claim may name any volume, it is bound only to its own."""
    live = observed.child(PVC, claim, namespace) or {}
    name = (live.get("spec") or {}).get("volumeName")
    volume = observed.ref(PV, name) if name else None
    theirs = ((volume or {}).get("spec") or {}).get("claimRef") or {}
    mine = (namespace, claim, (live.get("metadata") or {}).get("uid"))
    return volume if volume and (theirs.get("namespace"), theirs.get("name"), theirs.get("uid")) == mine else None


def _policy(volume: Obj) -> str:
    return str((volume.get("spec") or {}).get("persistentVolumeReclaimPolicy"))


def keep(rds: SellerRDS, observed: Observed) -> tuple[Action, ...]:
    """The data outlives its claim: whoever deletes that, or the namespace, or the CRD, deletes no data."""
    volume = bound(observed, rds.metadata.namespace, objects.claim_name(rds.metadata.name))
    if volume is None or _policy(volume) == "Retain":
        return ()
    return (Action("keep-volume", {"volume": volume["metadata"]["name"]}),)


def give_up(rds: SellerRDS, observed: Observed) -> tuple[Action, ...]:
    """The volume is deleted with its claim."""
    volume = bound(observed, rds.metadata.namespace, objects.claim_name(rds.metadata.name))
    if volume is None or _policy(volume) == "Delete":
        return ()
    return (Action("give-up-volume", {"volume": volume["metadata"]["name"]}),)
