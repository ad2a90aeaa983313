# SPDX-License-Identifier: Apache-2.0
"""What a SellerRDS should consist of. Pure: whose it is, whether it goes, then own server or external one."""

from __future__ import annotations

from datetime import datetime

from cairn.api import pods
from cairn.api.conditions import Condition, Reason, progressing
from cairn.api.lookup import parsed, seller_of, seller_ref
from cairn.api.platform import Platform
from cairn.api.resources import NAMESPACE, POD, PVC, SECRET, Obj, Ref
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Action, Observed, Plan
from cairn.rds import credentials, objects, report, volume
from cairn.rds.external import plan_external
from cairn.rds.own import plan_own

CONFIRM = "cairn.dev/confirm-delete"


def plan_sellerrds(obj: Obj, observed: Observed, now: datetime, platform: Platform) -> Plan:
    rds = parsed(SellerRDS, obj)
    if isinstance(rds, tuple):
        if "deletionTimestamp" in obj["metadata"]:
            return _released()  # whatever was meant: what holds data is kept
        return Plan(conditions=rds, hold=True)
    namespace = rds.metadata.namespace
    home = observed.ref(NAMESPACE, namespace)
    if rds.metadata.deletion_timestamp:
        return _gone(rds, observed, home)
    ref = seller_ref(home)
    seller = seller_of(namespace, home, observed.refs.get(ref) if ref else None)
    if isinstance(seller, tuple):
        live = observed.child(POD, f"{rds.metadata.name}-0", namespace)
        return Plan(status=report.kept(rds, live), conditions=seller, hold=True)
    if rds.spec.external:
        return plan_external(rds, observed, now, platform)
    return plan_own(rds, seller, observed, now, platform)


def _gone(rds: SellerRDS, observed: Observed, home: Obj | None) -> Plan:
    """Retain lets go of everything that holds data. Delete deletes it, once confirmed by name."""
    name, namespace = rds.metadata.name, rds.metadata.namespace
    retained = _retained(rds, observed)
    # A namespace that goes takes its claims along whatever is said here, and their volumes are kept: don't hold it up.
    if rds.spec.deletion_policy == "Retain" or not retained or pods.terminating(home):
        # once more: it may go before its volume was bound, or after it was given up and that was taken back
        return _released(volume.keep(rds, observed))
    if rds.metadata.annotations.get(CONFIRM) != name:
        message = (
            f"spec.deletionPolicy is Delete, which destroys {', '.join(ref.name for ref in retained)}: confirm with "
            f"kubectl annotate sellerrds {name} -n {namespace} {CONFIRM}={name}, or set spec.deletionPolicy to Retain"
        )
        return Plan(conditions=_deleting(message), hold=True)
    if actions := volume.give_up(rds, observed):
        return Plan(conditions=_deleting("the volume is being given up"), actions=actions, hold=True)
    return Plan(conditions=_deleting("server, volume and passwords are being deleted"), delete=retained)


def _released(actions: tuple[Action, ...] = ()) -> Plan:
    kept = _deleting("volume and passwords, if any, are kept")
    return Plan(conditions=kept, actions=actions, hold=True, released=True)


def _retained(rds: SellerRDS, observed: Observed) -> tuple[Ref, ...]:
    """What holds data or opens it, stands, and is this object's: an earlier one's only if it was taken over."""
    name, namespace = rds.metadata.name, rds.metadata.namespace
    secrets = credentials.secret_names(name, (database.name for database in rds.spec.databases))
    refs = [Ref(PVC, namespace, objects.claim_name(name)), *(Ref(SECRET, namespace, secret) for secret in secrets)]
    standing = {ref: live for ref in refs if (live := observed.children.get(ref))}
    mine = {ref for ref, live in standing.items() if _uid_of_owner(live) == rds.metadata.uid}
    # Secrets that were taken over keep the label of who made them; the claim gets the new one.
    return tuple(standing) if rds.spec.adopt or refs[0] in mine else tuple(ref for ref in standing if ref in mine)


def _uid_of_owner(live: Obj) -> str | None:
    return (live["metadata"].get("labels") or {}).get("cairn.dev/owner-uid")


def _deleting(message: str) -> tuple[Condition, ...]:
    return progressing(Reason.DELETING, message)
