# SPDX-License-Identifier: Apache-2.0
"""The hash that chains the audit's rows, for engines that do not count it themselves. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from cairn.sql.share.engine import Record

COLUMNS = "seq, at, action, actor, tenant, subject, reason, contract, entries_before, entries_after, prev, hash"
NAMES = tuple(name.removeprefix("entries_") for name in COLUMNS.split(", "))


def texts(tenant: str, record: Record) -> list[str]:
    """A row's own words, in the order of its columns."""
    return [
        record.action,
        record.actor,
        tenant,
        record.subject,
        record.reason,
        record.contract,
        "\n".join(record.before),
        "\n".join(record.after),
    ]


def link(prev: str, seq: int, at: datetime, words: Sequence[str]) -> str:
    """The hash of a row: over the one before and all of its own."""
    when = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return hashlib.sha256(json.dumps([prev, seq, when, *words], ensure_ascii=False).encode()).hexdigest()
