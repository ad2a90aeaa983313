# SPDX-License-Identifier: Apache-2.0
"""Which of several plans is the larger one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from cairn.api.quantity import parse
from cairn.api.serviceplan import ServicePlan


def highest(base: str | None, names: Iterable[str | None], plans: Mapping[str, ServicePlan]) -> str | None:
    """The largest of the spec's plan and those that promotions ask for, so that a promotion never lowers. A resource
    without a plan of its own has none to return to, and keeps its resources."""
    if base is None:
        return None
    known = {name for name in names if name and name in plans}
    return max({base, *known}, key=lambda name: _order(name, plans.get(name))) if known else base


def _order(name: str, plan: ServicePlan | None) -> tuple[int, Decimal, Decimal, str]:
    if plan is None:
        return (-1, Decimal(), Decimal(), name)
    size = plan.spec.size
    return (plan.spec.rank, parse(size.cpu or "0"), parse(size.memory or "0"), name)
