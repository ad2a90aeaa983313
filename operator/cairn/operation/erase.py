# SPDX-License-Identifier: Apache-2.0
"""erase: a buyer is left out of every view of a shared database, for good. Pure.

The IntegrationTenant's own reconcile does it, as the one that writes there, and notes the Operation's uid in its status
when it stands. Nothing else may hold it up: no freeze, and no other deed.
"""

from __future__ import annotations

from cairn.api.conditions import Reason
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.lookup import parsed
from cairn.api.operation import Operation
from cairn.engine.kind import Observed
from cairn.operation.case import Begins, Done, Fails, Runs, Step, Waits, says, target_ref


def step(op: Operation, observed: Observed) -> Step:
    title = f"IntegrationTenant {op.spec.target.name}"
    target = observed.refs.get(target_ref(op))
    if target is None or "deletionTimestamp" in target["metadata"]:
        gone = "does not exist" if target is None else "is being deleted"
        return Fails(Reason.FAILED, f"spec.target: {title} {gone}: name one that stands, in another Operation")
    tenant = parsed(IntegrationTenant, target)
    if isinstance(tenant, tuple):
        return Fails(Reason.FAILED, f"spec.target: {title} can't be read: {tenant[0].message}")
    if op.status.phase != "Running":
        if tenant.spec.suspend:
            return Waits(Reason.SUSPENDED, f"{title} is suspended: set its spec.suspend to false")
        return Begins(tenant.metadata.uid, f"erases a buyer from what {title} shares")
    if tenant.metadata.uid != op.status.before:
        return Fails(Reason.FAILED, f"{title} was deleted and made anew meanwhile")
    if op.metadata.uid in (tenant.status.erased or ()):
        return Done(f"the buyer is in no view of {title} any more")
    return Runs(f"waits for {title}, which says {says(target)}")
