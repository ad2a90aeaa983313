# SPDX-License-Identifier: Apache-2.0
"""NATS keys: ed25519 pairs whose text form says what they are for (O operator, A account, U user, S… seeds)."""

from __future__ import annotations

import binascii
from base64 import b32decode, b32encode
from enum import IntEnum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED = 18 << 3


class KeyType(IntEnum):
    """The prefix byte; its top five bits become the first letter."""

    OPERATOR = 14 << 3
    ACCOUNT = 0
    USER = 20 << 3


class BadKeyError(ValueError):
    """Text that is no NATS seed."""


class KeyPair:
    """A key that can sign. Its repr shows the public half only."""

    def __init__(self, kind: KeyType, raw: bytes) -> None:
        self.kind = kind
        self._raw = raw
        self._private = Ed25519PrivateKey.from_private_bytes(raw)

    @classmethod
    def generate(cls, kind: KeyType) -> KeyPair:
        return cls(kind, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_seed(cls, seed: str) -> KeyPair:
        """BadKeyError for text that is no seed, or was mistyped."""
        raw = _checked(seed)
        kind = (raw[0] & 7) << 5 | raw[1] >> 3
        if raw[0] & 0xF8 != _SEED or len(raw) != 34 or kind not in set(KeyType):
            raise BadKeyError("not the seed of an operator, account or user key")
        return cls(KeyType(kind), raw[2:])

    @property
    def seed(self) -> str:
        return _text(bytes([_SEED | self.kind >> 5, (self.kind & 31) << 3]) + self._raw)

    @property
    def public(self) -> str:
        return _text(bytes([self.kind]) + self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def __repr__(self) -> str:
        return f"KeyPair({self.public})"


def _text(raw: bytes) -> str:
    crc = binascii.crc_hqx(raw, 0)
    return b32encode(raw + crc.to_bytes(2, "little")).rstrip(b"=").decode()


def _checked(text: str) -> bytes:
    text = text.strip()
    try:
        raw = b32decode(text + "=" * (-len(text) % 8))
    except ValueError as error:
        raise BadKeyError("not base32") from error
    if len(raw) < 4 or binascii.crc_hqx(raw[:-2], 0) != int.from_bytes(raw[-2:], "little"):
        raise BadKeyError("its checksum is wrong")
    if _text(raw[:-2]) != text:
        raise BadKeyError("its last letter is wrong")  # some of its bits are in neither key nor checksum
    return raw[:-2]
