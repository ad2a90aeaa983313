# SPDX-License-Identifier: Apache-2.0
"""Asks metrics.k8s.io what machines use. It may be down or hang: no pass waits for it, and a fact says so."""

from __future__ import annotations

import asyncio
from typing import Any

from cairn.api.resources import PODMETRICS
from cairn.api.sellervm import SellerVM
from cairn.engine.kind import Io, Observed
from cairn.vm.case import NAME
from cairn.vm.load import cores

WAIT_SECONDS = 4.0
"""Less than a probe may take: a pass that got no metrics still has windows to see to."""


async def measure(vm: SellerVM, observed: Observed, io: Io) -> dict[str, Any]:
    """Cores in use by launcher pod. Nothing where nobody asks; `unread` where metrics can't be had just now."""
    if vm.spec.autoscale is None or PODMETRICS in observed.missing:
        return {}
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            found = await io.list(PODMETRICS, vm.metadata.namespace, f"{NAME}={vm.metadata.name}")
    except Exception:  # whatever keeps metrics away, the clones that stand stay meanwhile
        return {"unread": True}
    return {"cores": cores(found)}
