# SPDX-License-Identifier: Apache-2.0
"""What a worker tells about itself. Never a buyer's or a record's data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from cairn.sql.push.book import Window

FRESHNESS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
COMMIT = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0)
SIZES = (1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000)


@dataclass(frozen=True, slots=True)
class LaneMetrics:
    """Those of one lane: dataset and subscription are filled in."""

    received: Counter
    inserted: Counter
    updated: Counter
    stale: Counter
    truncated: Counter
    acked: Counter
    redelivered: Counter
    freshness: Histogram
    commit: Histogram
    batch: Histogram
    breaker: Gauge
    fell_back: Counter
    late: Gauge
    writing: Gauge


@dataclass(frozen=True, slots=True)
class ProofMetrics:
    """What the platform has against what stands."""

    subscription: str
    backfilled: Counter
    repaired: Counter
    failed: Counter
    authorized: Gauge
    different: Gauge
    audited: Gauge
    lost: Gauge
    wrong: Gauge
    source: Gauge
    oversold: Gauge

    def stands(self, dataset: str, shop: str, windows: Sequence[Window]) -> None:
        """What the book says of all hours that can be proven."""
        for what in ("missing", "stale", "wrong", "quarantined", "extra"):
            total = sum(getattr(window, what) for window in windows)
            self.different.labels(self.subscription, dataset, shop, what).set(total)
        at = (self.subscription, dataset, shop)
        self.lost.labels(*at).set(sum(window.missing for window in windows))
        self.wrong.labels(*at).set(sum(window.stale + window.wrong for window in windows))
        if windows:
            self.audited.labels(*at).set(max(window.at for window in windows).timestamp())


class Metrics:
    """All of a worker's. A row counts as applied when its transaction has committed."""

    def __init__(self, subscription: str) -> None:
        self.registry = CollectorRegistry()
        self._subscription = subscription
        names = ("subscription", "dataset")
        self._received = self._counter("received_records", "Records taken from the bus", names)
        self._applied = self._counter("applied_rows", "Rows committed", (*names, "op"))
        self._stale = self._counter("stale_rows", "Records that were not newer than their row", names)
        self._quarantined = self._counter("quarantined", "Records put into quarantine", (*names, "reason"))
        text = "What Operations asked for: done, failed, or interrupted and to be gone on with"
        self._requests = self._counter("requests", text, (*names[:1], "action", "state"))
        self._expired = self._counter("retention_rows", "Rows deleted because they are older than kept", names)
        self._truncated = self._counter("truncated_columns", "Values cut to their column's length", names)
        self._acked = self._counter("acked", "Messages acknowledged", names)
        self._redelivered = self._counter("redelivered", "Messages delivered more than once", names)
        self._errors = self._counter("errors", "Failed attempts", (*names, "class", "code"))
        self._freshness = self._histogram("end_to_end_seconds", "From gateway to COMMIT, by pack", FRESHNESS)
        self._commit = self._histogram("commit_seconds", "One batch, from BEGIN to COMMIT", COMMIT)
        self._batch = self._histogram("batch_rows", "Records of a committed batch", SIZES)
        self._breaker = self._gauge("breaker_state", "1 while the database must be mended first", names)
        text = "Times that the database lacked what it had committed"
        self._fell_back = self._counter("fell_back", text, names)
        self.inflight = self._gauge("inflight_bytes", "Messages in memory", names[:1]).labels(subscription)
        self.pending = self._gauge(
            "lag_messages", "Messages not written yet, as the bus says; NaN while it says nothing", names[:1]
        ).labels(subscription)
        self.pending.set(nan)
        self._drain = self._gauge(
            "drain_seconds", "Until the backlog is written at the pace of the last minute; NaN while unknown", names[:1]
        )
        self.drain = self._drain.labels(subscription)
        self.drain.set(nan)
        self._writing = self._gauge(
            "writing_ratio", "Of the last minute's time with work, how much passed in transactions", names
        )
        self._cpu = self._gauge(
            "cpu_ratio", "Of the processor time that the worker may have, what it took in the last minute", names[:1]
        )
        self.cpu = self._cpu.labels(subscription)
        self.cpu.set(nan)
        self._late = self._level("late_seconds", "Since when not all that the bus has is committed", names)
        self._unreachable = self._level(
            "unreachable", "1 while it gives no answer, or refuses", ("subscription", "what")
        )
        self.stalls = self._counter("bus_stalls", "Pulls that the bus forgot", names[:1]).labels(subscription)

    def lane(self, dataset: str) -> LaneMetrics:
        at = (self._subscription, dataset)
        return LaneMetrics(
            received=self._received.labels(*at),
            inserted=self._applied.labels(*at, "insert"),
            updated=self._applied.labels(*at, "update"),
            stale=self._stale.labels(*at),
            truncated=self._truncated.labels(*at),
            acked=self._acked.labels(*at),
            redelivered=self._redelivered.labels(*at),
            freshness=self._freshness.labels(*at),
            commit=self._commit.labels(*at),
            batch=self._batch.labels(*at),
            breaker=self._breaker.labels(*at),
            fell_back=self._fell_back.labels(*at),
            late=self._late.labels(*at),
            writing=self._writing.labels(*at),
        )

    def quarantined(self, dataset: str, reason: str) -> None:
        self._quarantined.labels(self._subscription, dataset, reason).inc()

    def expired(self, dataset: str, rows: int) -> None:
        """Retention took so many rows out."""
        self._expired.labels(self._subscription, dataset).inc(rows)

    def requested(self, action: str, state: str) -> None:
        """A request of an Operation was carried out, could not be, or was interrupted."""
        self._requests.labels(self._subscription, action, state).inc()

    def error(self, dataset: str, kind: str, code: str) -> None:
        self._errors.labels(self._subscription, dataset, kind, code).inc()

    def unreachable(self, what: str) -> Gauge:
        """Of database, bus or source."""
        return self._unreachable.labels(self._subscription, what)

    def pace(self) -> dict[str, float | None]:
        """The last minute's: until the backlog is written (s), of time with work in transactions, and of a processor.
        None while unknown, or never."""
        return {"drain": _highest(self._drain), "writing": _highest(self._writing), "cpu": _highest(self._cpu)}

    def proof(self) -> ProofMetrics:
        """Those of what is held against the platform."""
        of, at = ("subscription",), (self._subscription,)
        gauge, counter = self._gauge, self._counter
        text = "0 while the platform refuses the seller's authorisation, NaN before it was asked"
        authorized = gauge("authorized", text, of).labels(*at)
        authorized.set(nan)
        source = self.unreachable("source")
        source.set(nan)
        where = (*of, "dataset", "shop")
        return ProofMetrics(
            subscription=self._subscription,
            backfilled=counter("backfill_records", "Records of the history that were brought in", (*of, "dataset")),
            repaired=counter("audit_repaired_rows", "Rows that were mended", (*of, "dataset")),
            failed=counter("audit_failures", "Passes that ended early", (*of, "error")),
            authorized=authorized,
            different=gauge("audit_rows", "Records that differ from the platform's", (*where, "what")),
            audited=gauge("audit_last_success_timestamp_seconds", "When an hour was last compared", where),
            lost=self._level("lost_records", "Records the platform has that neither stand nor are quarantined", where),
            wrong=self._level("wrong_records", "Records that stand in an older version or with other content", where),
            source=source,
            oversold=self._level("oversold_units", "Units sold above stock", (*of, "shop")),
        )

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(f"cairn_push_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(f"cairn_push_{name}", text, labels, registry=self.registry)

    def _level(self, name: str, text: str, labels: tuple[str, ...]) -> Gauge:
        return Gauge(f"cairn_level_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        labels = ("subscription", "dataset")
        return Histogram(f"cairn_push_{name}", text, labels, buckets=buckets, registry=self.registry)


def _highest(gauge: Gauge) -> float | None:
    values = [one.value for metric in gauge.collect() for one in metric.samples if isfinite(one.value)]
    return max(values, default=None)
