# SPDX-License-Identifier: Apache-2.0
"""The engine's metrics. Labels are kinds, verbs and reasons, never the names of objects."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter("cairn_reconcile_total", "Passes by kind and result (ok, error, gone).", ["kind", "result"])
RECONCILE_SECONDS = Histogram("cairn_reconcile_duration_seconds", "Length of one pass.", ["kind"])
WRITES = Counter("cairn_writes_total", "Objects written by the engine.", ["kind", "verb"])
ACTIONS = Counter("cairn_actions_total", "Actions by kind, name and result.", ["kind", "action", "result"])
TRANSITIONS = Counter("cairn_condition_transitions_total", "Conditions that flipped.", ["kind", "type", "reason"])
NOT_READY = Gauge("cairn_objects_not_ready", "Objects whose Ready is not True, by reason.", ["kind", "reason"])
OBJECTS = Gauge("cairn_objects", "Objects of the kind.", ["kind"])
CONFLICTS = Counter("cairn_conflicts_total", "Objects of somebody else's that stood in the way.", ["kind"])
QUEUE_DEPTH = Gauge("cairn_queue_depth", "Keys that wait.", ["lane"])
QUEUE_OLDEST = Gauge("cairn_queue_oldest_seconds", "Age of the key that is longest in work.")
API_REQUESTS = Counter("cairn_api_requests_total", "Requests to the API server.", ["verb", "kind", "code"])
API_SECONDS = Histogram("cairn_api_request_seconds", "Time until the API server's answer.", ["verb"])
LOOP_LAG = Gauge("cairn_loop_lag_seconds", "How late the event loop ran its last heartbeat.")
WATCH_LAST = Gauge("cairn_watch_last_event_timestamp", "Unix time of the last watch event.", ["kind"])
WATCH_MISSED = Counter("cairn_watch_missed_total", "Changes that a resync found and the watch never told.", ["kind"])
LEADER = Gauge("cairn_leader", "1 while this replica holds the Lease.")

_reasons_shown: dict[str, set[str]] = {}


def set_not_ready(kind: str, counts: Mapping[str, int]) -> None:
    """Replace the gauge's values of one kind; a reason that nobody has any more goes away."""
    for reason in _reasons_shown.get(kind, set()) - set(counts):
        NOT_READY.remove(kind, reason)
    for reason, count in counts.items():
        NOT_READY.labels(kind, reason).set(count)
    _reasons_shown[kind] = set(counts)
