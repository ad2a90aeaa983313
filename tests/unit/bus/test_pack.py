# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.bus.pack import MAX_RECORDS, TARGET_BYTES, BadPackError, Pack, Record, decode, digest, encode, split
from cairn.bus.publish import message_id

INT64 = st.integers(-(2**63), 2**63 - 1)
RECORDS = st.lists(st.builds(Record, INT64, INT64, INT64, st.binary(min_size=16, max_size=16), st.binary(max_size=60)))
PACKS = st.builds(Pack, st.text(max_size=40), st.integers(0, 2**63), RECORDS)


@given(PACKS)
def test_decode_of_what_was_encoded_is_the_same(pack: Pack) -> None:
    assert decode(encode(pack)) == pack


@given(PACKS, st.data())
def test_decode_of_a_changed_byte_is_refused(pack: Pack, data: st.DataObject) -> None:
    raw = bytearray(encode(pack))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadPackError):
        decode(bytes(raw))


@given(PACKS, st.data())
def test_decode_of_a_cut_pack_is_refused(pack: Pack, data: st.DataObject) -> None:
    raw = encode(pack)
    with pytest.raises(BadPackError):
        decode(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary())
def test_decode_of_anything_else_is_refused(raw: bytes) -> None:
    with pytest.raises(BadPackError):
        decode(raw)


@given(st.lists(st.integers(0, TARGET_BYTES * 2), max_size=20), st.integers(0, 2500))
def test_split_keeps_order_and_stays_within_bounds(sizes: list[int], small: int) -> None:
    records = [Record(n, 0, 0, bytes(16), bytes(size)) for n, size in enumerate([*sizes, *[1] * small])]
    packs = split(records)
    assert [record for pack in packs for record in pack] == records
    for pack in packs:
        assert 0 < len(pack) <= MAX_RECORDS
        assert len(pack) == 1 or sum(len(record.payload) for record in pack) <= TARGET_BYTES


def test_encode_of_too_many_records_is_refused() -> None:
    with pytest.raises(ValueError, match="1001"):
        encode(Pack("s", 0, [Record(1, 0, 0, bytes(16), b"")] * (MAX_RECORDS + 1)))


def test_message_id_tells_subjects_and_contents_apart() -> None:
    one, two = (Record(1, 0, 0, digest(payload), payload) for payload in (b"one", b"two"))
    ids = {message_id(Pack(subject, 0, [record])) for subject in ("a", "b") for record in (one, two)}
    assert len(ids) == 4
    assert message_id(Pack("a", 0, [one])) == message_id(Pack("a", 99, [one]))
