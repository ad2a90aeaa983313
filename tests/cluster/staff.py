# SPDX-License-Identifier: Apache-2.0
"""People of a seller and of a vendor: their roles and groups."""

from __future__ import annotations

CLUSTER_ROLES = {
    "owner": "cairn-owner",
    "operator": "cairn-operator-staff",
    "finance": "cairn-finance",
    "support": "cairn-support",
    "viewer": "cairn-viewer",
}
GROUPS = {role: f"cairn:2088:{role}-1" for role in CLUSTER_ROLES} | {"developer": "cairn:isv:23456789:li"}
