# SPDX-License-Identifier: Apache-2.0
"""How requests between the platform and Cairn are signed, both ways. Pure."""

from __future__ import annotations

import hashlib
import hmac


def signature(key: bytes, method: str, path: str, timestamp: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over method, path with query, timestamp (unix seconds) and the body's SHA-256, one a line."""
    text = "\n".join((method, path, timestamp, hashlib.sha256(body).hexdigest()))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def source_key(platform_key: bytes, seller_id: str) -> str:
    """What one seller's workers sign with: it opens this seller's records alone."""
    return hmac.new(platform_key, f"source:{seller_id}".encode(), hashlib.sha256).hexdigest()
