# SPDX-License-Identifier: Apache-2.0
"""Moments as objects spell them: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_moment(text: object) -> datetime | None:
    """None where it is no moment."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
