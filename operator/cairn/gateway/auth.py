# SPDX-License-Identifier: Apache-2.0
"""Who may hand in records: whoever signs with a key that the gateway was given, or shows a certificate of its CA."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cairn.api.signing import signature

MAX_SKEW_SECONDS = 300


class Keys:
    """The keys in a file, one a line, so that a new one can be told to the platform before the old one goes.

    The file is read again when it changes: a mounted Secret that is renewed needs no restart.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._looked = 0.0
        self._stamp = 0
        self._keys: tuple[bytes, ...] = ()

    def current(self) -> tuple[bytes, ...]:
        """OSError or ValueError where there is none to begin with; afterwards the last good ones."""
        now = time.monotonic()
        if not self._keys or now - self._looked > 5:
            self._looked = now
            try:
                self._read()
            except (OSError, ValueError):
                if not self._keys:
                    raise
        return self._keys

    def _read(self) -> None:
        stamp = self._file.stat().st_mtime_ns
        if stamp == self._stamp:
            return
        keys = tuple(line.strip() for line in self._file.read_bytes().splitlines() if line.strip())
        if not keys or min(map(len, keys)) < 16:
            raise ValueError(f"{self._file}: a key has at least 16 characters, one key a line")
        self._keys, self._stamp = keys, stamp


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about who sent it. subject: of the certificate that the connection was opened with."""

    timestamp: str
    signature: str
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Entrance:
    """Who is let in.

    keys: what requests may be signed with; none: only certificates count
    subjects: RFC 4514 names of those whose certificates count; empty: everybody's that the CA signed
    """

    keys: Keys | None = None
    subjects: frozenset[str] = frozenset()

    def turned_away(self, claim: Claim) -> tuple[int, str] | None:
        """Status and reason for who can be known to have no chance before the body is read."""
        if self._named(claim):
            return None
        if claim.subject is not None and not claim.signature:
            return 403, f"the certificate's subject {claim.subject!r} is not one of those that may push"
        if self.keys is None:
            return 401, "a client certificate is wanted"
        if problem := stale(claim.timestamp):
            return 401, problem
        return None if claim.signature else (401, "X-Cairn-Signature: is missing")

    def refusal(self, claim: Claim, method: str, path: str, body: bytes) -> str | None:
        """Why a request that was not turned away is not let in; None when it is."""
        if self._named(claim) or self.keys is None:
            return None
        return refusal(self.keys.current(), method, path, claim.timestamp, claim.signature, body)

    def _named(self, claim: Claim) -> bool:
        return claim.subject is not None and (not self.subjects or claim.subject in self.subjects)


def stale(timestamp: str) -> str | None:
    """What is wrong with the time that a request was signed at."""
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
        return "X-Cairn-Timestamp: unix seconds are missing"
    skew = time.time() - int(timestamp)
    if abs(skew) > MAX_SKEW_SECONDS:
        return f"X-Cairn-Timestamp: {skew:+.0f} s off this server's clock; at most {MAX_SKEW_SECONDS} s are taken"
    return None


def refusal(keys: Iterable[bytes], method: str, path: str, timestamp: str, given: str, body: bytes) -> str | None:
    """Why a signature is not taken; None when it is."""
    if problem := stale(timestamp):
        return problem
    wanted = [signature(key, method, path, timestamp, body).encode() for key in keys]
    if not any(hmac.compare_digest(one, given.encode(errors="replace")) for one in wanted):
        return "X-Cairn-Signature: not what a known key makes of this request"
    return None
