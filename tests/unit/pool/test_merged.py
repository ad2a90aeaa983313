# SPDX-License-Identifier: Apache-2.0
"""The metrics of several workers in one text, as Prometheus reads them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from cairn.pool.http import merged
from cairn.worker.metrics import Metrics


def text(subscription: str) -> str:
    metrics = Metrics(subscription)
    metrics.lane("trades").received.inc(7)
    metrics.pending.set(3)
    return generate_latest(metrics.registry).decode()


def test_each_metric_stands_once_with_the_samples_of_all() -> None:
    one, other = text("seller-1/orders"), text("seller-2/orders")
    found = merged([one, other, ""])
    families = [family.name for family in text_string_to_metric_families(found)]
    assert len(families) == len(set(families))
    assert sorted(samples(found)) == sorted(samples(one) + samples(other))
    assert merged([generate_latest(CollectorRegistry()).decode()]) == ""


def samples(text: str) -> list[str]:
    return [str(sample) for family in text_string_to_metric_families(text) for sample in family.samples]
