# SPDX-License-Identifier: Apache-2.0
"""The autoscaler of the clones: it may only raise. A builder.

A HorizontalPodAutoscaler lowers `replicas` to its maxReplicas at once, whatever its behavior says (kubernetes,
pkg/controller/podautoscaler/horizontal.go), so its maximum is never below what stands: those that are too many are
drained and taken by Cairn.
"""

from __future__ import annotations

from decimal import Decimal

from cairn.api.quantity import show
from cairn.api.resources import HPA, VMPOOL, Obj
from cairn.vm.load import CONTAINER
from cairn.vm.pool import pool_name
from cairn.vm.scalein import BURST, raised

WINDOW_SECONDS = 15
PROMOTION = "vm.cairn.dev/promotion"
"""On the autoscaler: the promotion that was on when metrics were read last, which ends what load raised in it."""


def hpa(
    name: str,
    namespace: str,
    *,
    wanted: Decimal,
    floor: int,
    ceiling: int,
    replicas: int,
    ready: int,
    promotion: str = "",
) -> Obj:
    """wanted: cores that each clone should use; replicas: of the pool now; ready: clones that are"""
    least = max(1, raised(0, ready, floor))
    pool = pool_name(name)
    return {
        "apiVersion": HPA.api_version,
        "kind": HPA.kind,
        "metadata": {"name": pool, "namespace": namespace}
        | ({"annotations": {PROMOTION: promotion}} if promotion else {}),
        "spec": {
            "scaleTargetRef": {"apiVersion": VMPOOL.api_version, "kind": VMPOOL.kind, "name": pool},
            "minReplicas": least,
            "maxReplicas": max(least, raised(replicas, ready, ceiling)),
            "metrics": [
                {
                    "type": "ContainerResource",
                    "containerResource": {
                        "name": "cpu",
                        "container": CONTAINER,
                        "target": {"type": "AverageValue", "averageValue": show(wanted)},
                    },
                }
            ],
            "behavior": {
                "scaleDown": {"selectPolicy": "Disabled"},
                "scaleUp": {
                    "selectPolicy": "Max",
                    "stabilizationWindowSeconds": 0,
                    "policies": [{"type": "Pods", "value": BURST, "periodSeconds": WINDOW_SECONDS}],
                },
            },
        },
    }
