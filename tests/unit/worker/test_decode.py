# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import struct
import zlib
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.record import BadRecordError, seconds
from cairn.bus.interface import Message
from cairn.bus.pack import Pack, Record, digest, encode
from cairn.datasets import shipped
from cairn.worker.decode import WHOLE, Decoder, Place, version

SUBJECT = "push.2088.55501.trades"
WHEN = datetime(2026, 11, 11, 0, 0, 1)  # noqa: DTZ001
DECODER = Decoder(shipped()["trades"], {"55501": "taobao001"})
PLACE = Place("PUSH", 1_800_000_000, 7)


def payload(**changes: Any) -> bytes:
    body = {"tid": 1, "status": "s", "seller_nick": "taobao001", "modified": "2026-11-11 00:00:01", **changes}
    return json.dumps({"trade_fullinfo_get_response": {"trade": body}}).encode()


def message(*payloads: bytes, subject: str = SUBJECT, inside: str = SUBJECT, key: int = 1) -> Message:
    records = [Record(key, seconds(WHEN), 0, digest(raw), raw) for raw in payloads]
    return Message(subject, encode(Pack(inside, 5, records)), "reply", 7, 1, redelivered=False)


def test_message_of_a_good_record_becomes_a_row() -> None:
    raw = payload(buyer_nick="买家")
    decoded = DECODER.message(message(raw), PLACE)
    (row,) = decoded.rows
    assert decoded.published_us == 5
    assert row.order == (WHEN, version(PLACE, 0), digest(raw).hex())
    assert row.values == (1, "s", None, "taobao001", "买家", None, WHEN, digest(raw).hex(), raw.decode())
    assert row.source == ("PUSH@1800000000", 7, 0)


def test_record_of_quarantine_is_the_row_that_it_was_unless_its_shop_is_no_longer_pushed() -> None:
    raw = payload(buyer_nick="买家")
    (_, row) = DECODER.message(message(payload(), raw), PLACE).rows
    assert DECODER.again(row.source, raw) == row
    assert DECODER.again(("source", 1, -1), raw) == row._replace(
        order=(WHEN, 0, digest(raw).hex()), source=("source", 1, -1)
    )
    with pytest.raises(BadRecordError, match="not the nick"):
        Decoder(shipped()["trades"], {"55501": "taobao002"}).again(row.source, raw)


def test_message_of_quarantine_is_taken_apart_as_at_first() -> None:
    told = message(payload(), payload(tid=2))
    source = PLACE.member(WHOLE)
    assert DECODER.whole(source, told.data) == DECODER.message(told, PLACE)
    for data, code in ((b"junk", "BAD_PACK"), (message(inside="push.2088.55509.trades").data, "WRONG_SUBJECT")):
        with pytest.raises(BadRecordError) as refused:
            DECODER.whole(source, data)
        assert refused.value.code == code
    assert str(refused.value).endswith("only discard takes it away")


@pytest.mark.parametrize(
    ("said", "stored"),
    [({}, 0), ({"jdp_delete": None}, 0), ({"jdp_delete": 0}, 0), ({"jdp_delete": 1}, 1), ({"jdp_delete": "1"}, 1)],
)
def test_item_is_deleted_only_where_the_record_says_so(said: dict[str, Any], stored: int) -> None:
    item = {"num_iid": 1, "nick": "taobao001", "modified": "2026-11-11 00:00:01", **said}
    raw = json.dumps({"item_get_response": {"item": item}}).encode()
    subject, items = "push.2088.55501.items", shipped()["items"]
    found = Decoder(items, {"55501": "taobao001"}).message(message(raw, subject=subject, inside=subject), PLACE)
    (row,) = found.rows
    assert row.values[[column.name for column in items.columns].index("jdp_delete")] == stored


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param(b"nonsense", "BAD_JSON", id="no-json"),
        pytest.param(payload(x="ä").replace(b"\\u00e4", b"\xff"), "BAD_JSON", id="not-utf-8"),
        pytest.param(b"{}", "BAD_ENVELOPE", id="no-envelope"),
        pytest.param(payload(status=1), "BAD_ENVELOPE", id="status"),
        pytest.param(payload(modified=None), "BAD_ENVELOPE", id="no-modified"),
        pytest.param(payload(tid="x"), "BAD_VALUE", id="key"),
        pytest.param(payload(created="2026-13-01 00:00:00"), "BAD_VALUE", id="created"),
        pytest.param(payload(buyer_nick="a\0"), "NUL_IN_TEXT", id="nul"),
        pytest.param(payload(seller_nick="other"), "NOT_YOUR_SHOP", id="other-nick"),
        pytest.param(payload(seller_nick=None), "NOT_YOUR_SHOP", id="no-nick"),
        pytest.param(payload(tid=2), "HEAD_MISMATCH", id="other-key"),
        pytest.param(payload(modified="2026-11-11 00:00:02"), "HEAD_MISMATCH", id="other-time"),
    ],
)
def test_message_keeps_poison_with_its_bytes_and_the_others_as_rows(raw: bytes, code: str) -> None:
    decoded = DECODER.message(message(payload(), raw, payload(status="t")), PLACE)
    assert len(decoded.rows) == 2
    (poison,) = decoded.poison
    assert (poison.reason, poison.payload) == (code, raw)
    assert (poison.stream, poison.stream_seq, poison.member_no) == ("PUSH@1800000000", 7, 1)


def test_message_for_a_shop_of_somebody_else_is_quarantined() -> None:
    subject = "push.2088.99.trades"
    decoded = DECODER.message(message(payload(), subject=subject, inside=subject), PLACE)
    assert [one.reason for one in decoded.poison] == ["NOT_YOUR_SHOP"]


def test_message_that_was_published_under_another_subject_is_kept_whole() -> None:
    diverted = message(payload(), inside="push.99.1.trades")
    (poison,) = DECODER.message(diverted, PLACE).poison
    assert (poison.reason, poison.payload, poison.member_no) == ("WRONG_SUBJECT", diverted.data, -1)


def test_message_whose_subject_is_no_text_is_kept_whole() -> None:
    """Whole by its checksum, and made by something else than our gateway."""
    body = message(payload()).data[8:].replace(b"55501", b"5\xff501", 1)
    data = struct.pack("<4sI", b"CPK1", zlib.crc32(body)) + body
    (poison,) = DECODER.message(Message(SUBJECT, data, "reply", 7, 1, redelivered=False), PLACE).poison
    assert (poison.reason, poison.payload) == ("BAD_PACK", data)


def test_message_whose_subject_no_database_takes_is_kept_with_a_reason_that_it_takes() -> None:
    (poison,) = DECODER.message(message(payload(), inside="push.\0.1.trades"), PLACE).poison
    assert poison.reason == "WRONG_SUBJECT"
    assert "\0" not in poison.error_text


@given(st.binary(max_size=200))
def test_message_of_any_bytes_is_kept_whole(data: bytes) -> None:
    decoded = DECODER.message(Message(SUBJECT, data, "reply", 7, 1, redelivered=False), PLACE)
    assert [one.payload for one in decoded.poison] == [data]
    assert decoded.poison[0].reason == "BAD_PACK"


PLACES = st.builds(Place, st.just("PUSH"), st.integers(1_700_000_000, 2**33 - 1), st.integers(1, 2**40))


@given(PLACES, st.integers(0, 998))
def test_version_grows_with_member_position_and_epoch_and_fits_a_bigint(place: Place, member: int) -> None:
    here = version(place, member)
    assert here < version(place, member + 1) < version(place._replace(stream_seq=place.stream_seq + 1), 0)
    anew = place._replace(epoch=place.epoch + 1 + place.stream_seq // 2**20, stream_seq=1)
    assert here < version(anew, 0)
    if place.stream_seq < 2**33:
        assert version(place._replace(epoch=2_500_000_000), member) < 2**63
