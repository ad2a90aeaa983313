# SPDX-License-Identifier: Apache-2.0
"""What the gateway tells about itself."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """Counted where it happens: a record is accepted when the bus has acknowledged its pack."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "cairn_push_gateway_requests", "Requests by status code", ["code"], registry=self.registry
        )
        self.accepted = Counter(
            "cairn_push_gateway_accepted_records", "Records the bus has", ["dataset"], registry=self.registry
        )
        self.rejected = Counter(
            "cairn_push_gateway_rejected_records", "Records refused with a reason", ["dataset"], registry=self.registry
        )
        self.duplicates = Counter(
            "cairn_push_gateway_duplicate_packs", "Packs the bus had already", registry=self.registry
        )
        self.seller_full = Counter(
            "cairn_push_gateway_seller_full",
            "Requests refused as their seller's backlog is full",
            registry=self.registry,
        )
        self.publish = Histogram(
            "cairn_push_gateway_publish_seconds", "Until the bus acknowledged", buckets=LATENCY, registry=self.registry
        )
        self.connected = Gauge("cairn_push_gateway_bus_connected", "1 with a connection", registry=self.registry)
