# SPDX-License-Identifier: Apache-2.0
"""From a message of the bus to rows and poison. Pure.

Every record of a message ends as exactly one of the two: nothing is skipped, and a record's trouble is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from cairn.api.dataset import Dataset, StoredColumn
from cairn.api.record import BadRecordError, number, peeker, seconds, wall_clock
from cairn.bus.interface import Message
from cairn.bus.pack import BadPackError, Pack, Record, decode, digest
from cairn.sql.push.rows import Order, Poison, Row

WHOLE = -1
FETCHED = "source"
"""jdp_quarantine.stream of records that were asked for: history and repairs."""


class Place(NamedTuple):
    """Where a message stands. epoch: when the stream was made, unix seconds; its positions begin anew with it."""

    stream: str
    epoch: int
    stream_seq: int

    def member(self, number: int) -> tuple[str, int, int]:
        """What tells a record from every other: stream, stream_seq and member_no of jdp_quarantine."""
        return f"{self.stream}@{self.epoch}", self.stream_seq, number


@dataclass(slots=True)
class Decoded:
    """What became of one message. published_us: when the gateway took it, None where nobody can tell."""

    rows: list[Row] = field(default_factory=list)
    poison: list[Poison] = field(default_factory=list)
    truncated: int = 0
    published_us: int | None = None


def version(place: Place, member: int) -> int:
    """The version of a record that the platform gave none: its place, as a number that fits a bigint until 2242.

    It grows within a stream and is the same at every delivery. It also grows when the stream is made anew and counts
    from one again: a second is worth 2^20 messages, and no stream takes more than that on average over its life.
    """
    return ((place.epoch << 20) + place.stream_seq) << 10 | member


class Decoder:
    """For one dataset and the shops of one subscription, by id and nick."""

    def __init__(self, dataset: Dataset, shops: Mapping[str, str]) -> None:
        self._dataset, self._shops = dataset, shops
        self._peek = peeker(dataset, (column.name for column in dataset.columns))
        names = [column.name for column in dataset.columns]
        self._key, self._owner = names.index(dataset.key), names.index(dataset.owner)
        self._modified = names.index(dataset.modified)
        self._deleted = None if dataset.deleted is None else names.index(dataset.deleted)

    def message(self, message: Message, place: Place) -> Decoded:
        """Take a message apart."""
        try:
            pack = decode(message.data)
        except BadPackError as error:
            return Decoded(poison=[self._whole(message, place, "BAD_PACK", str(error))])
        tokens = message.subject.split(".")
        nick = self._shops.get(tokens[2]) if len(tokens) == 4 else None
        if pack.subject != message.subject:
            text = f"published under {pack.subject!r}, arrived under {message.subject!r}"
            return Decoded(poison=[self._whole(message, place, "WRONG_SUBJECT", text)])
        return self._pack(pack, place, nick)

    def read(self, payload: bytes, shop: str, done: Decoded) -> Row | None:
        """One record that was fetched, not pushed, with the version 0. None: it went to `done.poison`."""
        nick = self._shops.get(shop)
        key, hashed = None, digest(payload)
        try:
            found = self._peek(payload)
            key = number(self._dataset.key, found[self._key])
            modified = seconds(wall_clock(self._dataset.modified, found[self._modified]))
            row = Row(*self._row(Record(key, modified, 0, hashed, payload), 0, nick, done), (FETCHED, key, WHOLE))
        except BadRecordError as error:
            place = (f"{FETCHED}/{shop}", key or 0, int.from_bytes(hashed[:4], "big", signed=True))
            known = None if key is None else str(key)
            done.poison.append(
                Poison(self._dataset.name, known, nick, *place, error.code, None, str(error)[:500], payload)
            )
            return None
        return row

    def again(self, source: tuple[str, int, int], payload: bytes) -> Row:
        """The row of a record of quarantine, with the version it had. Raises BadRecordError where it can be none."""
        stream, seq, member = source
        name, _, epoch = stream.rpartition("@")
        found = self._peek(payload)
        nick = self.owner(payload)
        key = number(self._dataset.key, found[self._key])
        modified = seconds(wall_clock(self._dataset.modified, found[self._modified]))
        record = Record(key, modified, 0, digest(payload), payload)
        ordinal = version(Place(name, int(epoch), seq), member) if name else 0
        return Row(*self._row(record, ordinal, nick, Decoded()), source)

    def owner(self, payload: bytes) -> str | None:
        """The nick in a record, where it is one of the shops'."""
        try:
            nick = self._peek(payload)[self._owner]
        except BadRecordError:
            return None
        return nick if nick in self._shops.values() else None

    def whole(self, source: tuple[str, int, int], data: bytes) -> Decoded:
        """A message of quarantine, taken apart. Raises BadRecordError where it still can't be.

        Under which subject it came is not known any more: what it says itself must be a shop's of this subscription.
        """
        try:
            pack = decode(data)
        except BadPackError as error:
            raise BadRecordError("BAD_PACK", str(error)) from None
        name, _, epoch = source[0].rpartition("@")
        tokens = pack.subject.split(".")
        nick = self._shops.get(tokens[2]) if len(tokens) == 4 and tokens[3] == self._dataset.name else None
        if nick is None or not name:
            text = f"published under {pack.subject!r}, which is none of these shops': only discard takes it away"
            raise BadRecordError("WRONG_SUBJECT", text)
        return self._pack(pack, Place(name, int(epoch), source[1]), nick)

    def place(self, payload: bytes) -> tuple[datetime, int] | None:
        """(modified, key) of a record that may be no row for other reasons."""
        try:
            found = self._peek(payload)
            modified = wall_clock(self._dataset.modified, found[self._modified])
            return modified, number(self._dataset.key, found[self._key])
        except BadRecordError:
            return None

    def _pack(self, pack: Pack, place: Place, nick: str | None) -> Decoded:
        done = Decoded(published_us=pack.published_us)
        topic = self._dataset.name
        for member, record in enumerate(pack.records):
            try:
                key, order, values = self._row(record, record.version or version(place, member), nick, done)
                done.rows.append(Row(key, order, values, place.member(member)))
            except BadRecordError as error:
                key_text, text = str(record.key), str(error)[:500]
                done.poison.append(
                    Poison(topic, key_text, nick, *place.member(member), error.code, None, text, record.payload)
                )
        return done

    def _row(self, record: Record, ordinal: int, nick: str | None, done: Decoded) -> tuple[int, Order, tuple[Any, ...]]:
        found = list(self._peek(record.payload))
        if nick is None or found[self._owner] != nick:
            raise BadRecordError(
                "NOT_YOUR_SHOP", f"{self._dataset.owner} is not the nick of the shop it was pushed for"
            )
        for at, column in enumerate(self._dataset.columns):
            value = found[at]
            if value is not None:
                found[at] = self._value(column, value, done)
            elif at == self._deleted:
                found[at] = 0
        modified = found[self._modified]
        if found[self._key] != record.key or seconds(modified) != record.modified:
            raise BadRecordError("HEAD_MISMATCH", "key or time of the record's head is not that of its payload")
        hashed = record.hash.hex()
        try:
            text = record.payload.decode()
        except UnicodeDecodeError:
            raise BadRecordError("BAD_JSON", "not UTF-8") from None
        return record.key, (modified, ordinal, hashed), (*found, hashed, text)

    def _value(self, column: StoredColumn, value: Any, done: Decoded) -> Any:
        if column.type == "timestamp":
            return wall_clock(column.name, value)
        length = column.length
        if length is None:
            return number(column.name, value, 32 if column.type == "int" else 64)
        if "\0" in value:
            raise BadRecordError("NUL_IN_TEXT", f"{column.name}: holds a NUL character, which no database column takes")
        if len(value) > length:
            done.truncated += 1
            return value[:length]
        return value

    def _whole(self, message: Message, place: Place, reason: str, text: str) -> Poison:
        member = place.member(WHOLE)
        return Poison(self._dataset.name, None, None, *member, reason, None, text[:500], message.data)
