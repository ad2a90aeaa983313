# SPDX-License-Identifier: Apache-2.0
"""A pack: many records of one subject in one message, each with its key, time, version and hash, payloads untouched.

Layout, little endian: magic, CRC-32 of the rest, published (µs since 1970), length of the subject, number of records,
the subject, one fixed head per record, then the payloads one after the other.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

MAX_RECORDS = 1000
TARGET_BYTES = 256 * 1024
MAGIC = b"CPK1"
_FRONT = struct.Struct("<4sI")
_INTRO = struct.Struct("<QHH")
_HEAD = struct.Struct("<qqq16sI")


class BadPackError(ValueError):
    """Bytes that are no whole pack."""


class Record(NamedTuple):
    """One record of the platform.

    modified: its wall clock time as seconds since 1970, as if it were UTC
    version: the platform's own, or 0: then its place in the stream decides
    hash: the first 16 bytes of the payload's SHA-256
    """

    key: int
    modified: int
    version: int
    hash: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Pack:
    """subject: what it was published under: a pack that arrives under another was diverted."""

    subject: str
    published_us: int
    records: Sequence[Record]


def digest(payload: bytes) -> bytes:
    """The hash of a payload: a database can compute it as well, so a row can be checked where it stands."""
    return sha256(payload).digest()[:16]


def encode(pack: Pack) -> bytes:
    """ValueError for more than MAX_RECORDS."""
    if len(pack.records) > MAX_RECORDS:
        raise ValueError(f"{len(pack.records)} records in a pack of at most {MAX_RECORDS}")
    subject = pack.subject.encode()
    heads = [_HEAD.pack(r.key, r.modified, r.version, r.hash, len(r.payload)) for r in pack.records]
    intro = _INTRO.pack(pack.published_us, len(subject), len(pack.records))
    body = b"".join((intro, subject, *heads, *(r.payload for r in pack.records)))
    return _FRONT.pack(MAGIC, zlib.crc32(body)) + body


def decode(data: bytes) -> Pack:
    """BadPackError for anything that `encode` did not make."""
    try:
        magic, crc = _FRONT.unpack_from(data)
        if magic != MAGIC:
            raise BadPackError(f"begins with {magic!r}, not with {MAGIC!r}")
        if zlib.crc32(memoryview(data)[_FRONT.size :]) != crc:
            raise BadPackError("its checksum is wrong")
        published_us, subject_length, count = _INTRO.unpack_from(data, _FRONT.size)
    except struct.error as error:
        raise BadPackError(f"cut off after {len(data)} bytes") from error
    at = _FRONT.size + _INTRO.size
    heads_at = at + subject_length
    position = heads_at + count * _HEAD.size
    if position > len(data):
        raise BadPackError("its heads are cut off")
    records = []
    for key, modified, version, hashed, length in _HEAD.iter_unpack(memoryview(data)[heads_at:position]):
        records.append(Record(key, modified, version, hashed, data[position : position + length]))
        position += length
    if position != len(data):
        raise BadPackError(f"its lengths add up to {position} of {len(data)} bytes")
    try:
        return Pack(data[at:heads_at].decode(), published_us, records)
    except UnicodeDecodeError as error:
        raise BadPackError("its subject is not UTF-8") from error


def split(records: Iterable[Record]) -> list[list[Record]]:
    """Cut into packs of at most TARGET_BYTES and MAX_RECORDS, in order; a larger record gets a pack of its own."""
    packs: list[list[Record]] = []
    size = 0
    for record in records:
        weight = len(record.payload) + _HEAD.size
        if not packs or size + weight > TARGET_BYTES or len(packs[-1]) == MAX_RECORDS:
            packs.append([])
            size = 0
        packs[-1].append(record)
        size += weight
    return packs
