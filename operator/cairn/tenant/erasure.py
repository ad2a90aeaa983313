# SPDX-License-Identifier: Apache-2.0
"""Buyers who want to be forgotten: Operations of the action erase on this tenant. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.lookup import parsed
from cairn.api.operation import Operation
from cairn.api.resources import OPERATION, Obj
from cairn.engine.kind import Observed
from cairn.tenant.case import Case


def on(tenant: IntegrationTenant, observed: Observed) -> Iterator[Operation]:
    for raw in observed.within(OPERATION, tenant.metadata.namespace):
        op = parsed(Operation, raw)
        if isinstance(op, Operation) and op.spec.action == "erase" and op.spec.target.name == tenant.metadata.name:
            yield op


def erasing(tenant: IntegrationTenant, observed: Observed) -> Iterator[Operation]:
    """Those that have begun: only what an Operation says of itself is done for it."""
    return (op for op in on(tenant, observed) if op.status.phase == "Running" and not op.metadata.deletion_timestamp)


def erased(case: Case) -> set[str]:
    """Operations, by uid, that are done and still there. The audit tells of each for a while, status from then on."""
    done = case.facts.erased | set(case.tenant.status.erased or ())
    return {op.metadata.uid for op in on(case.tenant, case.observed)} & done


def request(op: Operation) -> Obj:
    """What the deed needs. The reason is how it is found in the audit."""
    args = op.spec.args
    reason = f"Operation {op.metadata.name} ({op.metadata.uid})"
    return {"shop": (args and args.shop) or "", "ouid": (args and args.ouid) or "", "reason": reason}
