# SPDX-License-Identifier: Apache-2.0
"""All kinds this distribution serves, put together: the one place that knows every capability package."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from cairn.api.platform import Platform
from cairn.engine.kind import Kind

_CLASSES = (
    ("cairn.seller.kind", "SellerKind"),
    ("cairn.seller.kind", "ServicePlanKind"),
    ("cairn.vm.kind", "SellerVMKind"),
    ("cairn.rds.kind", "SellerRDSKind"),
    ("cairn.push.kind", "PushSubscriptionKind"),
    ("cairn.tenant.kind", "IntegrationTenantKind"),
    ("cairn.tenant.app", "IntegrationAppKind"),
    ("cairn.promotion.kind", "PromotionKind"),
    ("cairn.operation.kind", "OperationKind"),
)


def kinds(platform: Platform) -> tuple[Kind, ...]:
    """One of each, with these settings. Imported here and not before: most commands need none of them."""
    return tuple(cast("Kind", getattr(import_module(module), name)(platform)) for module, name in _CLASSES)
