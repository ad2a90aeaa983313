# SPDX-License-Identifier: Apache-2.0
"""Rows of the audit as Kubernetes events: for people who look now. The audit itself is the table. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime

from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.resources import Obj
from cairn.sql.share.engine import Record

REASONS = {
    "grant": "AccessGranted",
    "revoke": "AccessRevoked",
    "widen": "AccessWidened",
    "refuse": "AccessRefused",
    "consent": "ConsentGiven",
    "expire": "GrantExpired",
    "rotate": "CredentialsRotated",
    "repair": "DriftRepaired",
    "erase": "BuyerErased",
    "admit": "AppAdmitted",
    "remove": "AppRemoved",
}
LIMIT = 1000


def event(tenant: IntegrationTenant, record: Record, at: datetime) -> Obj:
    """One Event. Its name tells records apart, so that one is told once."""
    meta = tenant.metadata
    when = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    mark = hashlib.sha256(json.dumps([meta.uid, when, asdict(record)]).encode()).hexdigest()[:16]
    message = f"{record.subject}: {record.reason}" if record.reason else record.subject
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{meta.name}.{mark}", "namespace": meta.namespace},
        "type": "Warning" if record.action in ("repair", "refuse") else "Normal",
        "reason": REASONS.get(record.action, "Shared"),
        "message": message[:LIMIT],
        "involvedObject": {
            "apiVersion": "cairn.dev/v1alpha1",
            "kind": "IntegrationTenant",
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
        },
        "source": {"component": "cairn"},
        "reportingComponent": "cairn",
        "reportingInstance": "cairn",
        "firstTimestamp": when,
        "lastTimestamp": when,
        "count": 1,
    }
