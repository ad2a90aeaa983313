# SPDX-License-Identifier: Apache-2.0
"""Ids of what a tenant has in a database: opaque, since every role there reads the names of all. Pure.

They are made from uids, never from names: an app that is deleted and made again gets nothing of what the old one had.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from datetime import UTC, datetime


def _id(*parts: str) -> str:
    return b32encode(hashlib.sha256("/".join(parts).encode()).digest()).decode()[:16].lower()


def design_id(seller_uid: str, rds_uid: str, database: str) -> str:
    """Of a database."""
    return _id(seller_uid, rds_uid, database)


def party_id(seller_uid: str, app_uid: str) -> str:
    """Of an app."""
    return _id(seller_uid, app_uid)


def staff_id(seller_uid: str, rds_uid: str, database: str, role: str) -> str:
    """Of a role of the seller's staff: one for each database, as roles are known to the whole server."""
    return _id(seller_uid, rds_uid, database, "staff", role)


def grant_key(tenant_uid: str, grant: str, app: str, sha256: str, expires_at: str) -> str:
    """Of a consent: one that is renewed is another one, so that the end of the old one is never taken back.

    expires_at: as the spec says it; one moment has one key, however it is written
    """
    at = moment(expires_at)
    text = at.isoformat() if at else expires_at
    return hashlib.sha256("/".join((tenant_uid, grant, app, sha256, text)).encode()).hexdigest()[:16]


def moment(text: str) -> datetime | None:
    """A moment of a spec, in UTC; None for one that the server lets through and no clock ever shows (a leap second)."""
    try:
        found = datetime.fromisoformat(text.upper())
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
