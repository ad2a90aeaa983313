# SPDX-License-Identifier: Apache-2.0
"""Whether a password is the one that was set. Pure.

The server shows nothing of what it keeps of a contained user's password. So what was set is noted as a salted digest,
with the moment at which the server says that the user was last changed: a user who was changed since may have another.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

ROUNDS = 100_000


@dataclass(frozen=True, slots=True)
class Noted:
    salt: str
    digest: str
    changed: datetime


def salted(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), bytes.fromhex(salt), ROUNDS).hex()


def fresh_salt() -> str:
    return secrets.token_hex(16)


def opens(noted: Noted | None, changed: datetime | None, password: str) -> bool:
    if noted is None or changed is None or noted.changed != changed:
        return False
    return hmac.compare_digest(salted(password, noted.salt), noted.digest)
