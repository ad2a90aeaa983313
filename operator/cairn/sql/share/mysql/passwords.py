# SPDX-License-Identifier: Apache-2.0
"""What MySQL and MariaDB store of a password, so that the password itself stands in no statement and no log. Pure.

MySQL: caching_sha2_password, which is SHA-crypt (SHA-256, 5000 rounds) with a salt of 20 characters. MariaDB:
mysql_native_password, SHA-1 twice, without a salt: good enough for the long random passwords of Cairn's logins alone.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

ROUNDS = 5000
_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER = tuple((i, (i + 10) % 30, (i + 20) % 30) for i in (0, 21, 12, 3, 24, 15, 6, 27, 18, 9))
"""Which three bytes of the digest make the next four characters; the last two bytes make three."""


def caching_sha2(password: str, *, salt: str | None = None) -> str:
    """`authentication_string` of an account identified with caching_sha2_password."""
    salt = "".join(secrets.choice(_ALPHABET) for _ in range(20)) if salt is None else salt
    return f"$A${ROUNDS // 1000:03X}${salt}{_sha256_crypt(password.encode(), salt.encode('latin-1'), ROUNDS)}"


def native(password: str) -> str:
    """`authentication_string` of an account identified with mysql_native_password."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def opens(stored: str | None, password: str) -> bool:
    """Whether a password is the one that the server stored this of."""
    if not stored:
        return False
    if stored.startswith("$A$005$") and len(stored) == 70:
        known = caching_sha2(password, salt=stored[7:27])
    elif stored.startswith("*"):
        known = native(password)
    else:
        return False
    return hmac.compare_digest(known.encode("latin-1", "replace"), stored.encode("latin-1", "replace"))


def _sha256_crypt(password: bytes, salt: bytes, rounds: int) -> str:
    sha = hashlib.sha256
    other = sha(password + salt + password).digest()
    start = sha(password + salt + _repeated(other, len(password)))
    bits = len(password)
    while bits:
        start.update(other if bits & 1 else password)
        bits >>= 1
    digest = start.digest()
    p = _repeated(sha(password * len(password)).digest(), len(password))
    s = _repeated(sha(salt * (16 + digest[0])).digest(), len(salt))
    for i in range(rounds):
        step = sha(p if i & 1 else digest)
        step.update((s if i % 3 else b"") + (p if i % 7 else b""))
        step.update(digest if i & 1 else p)
        digest = step.digest()
    text = "".join(_characters(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in _ORDER)
    return text + _characters(digest[31] << 8 | digest[30], 3)


def _repeated(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _characters(value: int, count: int) -> str:
    return "".join(_ALPHABET[value >> 6 * i & 63] for i in range(count))
