# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.bus.pack import digest
from cairn.datasets import shipped
from cairn.gateway.check import TooManyError, checker

CHECK = checker(shipped()["trades"])


def line(trade: Any) -> bytes:
    return json.dumps({"trade_fullinfo_get_response": {"trade": trade}}).encode()


GOOD = line({"tid": 1, "modified": "1970-01-02 00:00:01", "title": "x"})


def test_check_takes_key_time_and_the_bytes_as_they_came() -> None:
    records, refused = CHECK(b"  " + GOOD + b"\r\n\n")
    assert refused == []
    (record,) = records
    assert (record.key, record.modified, record.version) == (1, 86401, 0)
    assert (record.payload, record.hash) == (GOOD, digest(GOOD))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param(b"hello", "not JSON", id="no-json"),
        pytest.param(GOOD[:-1], "not JSON", id="cut"),
        pytest.param(GOOD + b" x", "not JSON", id="trailing"),
        pytest.param(b'{"a":"\xff"}', "not UTF-8", id="not-utf-8"),
        pytest.param(GOOD[:-3] + b',"x":' + b"[" * 100_000, "nested too deeply", id="nested"),
        pytest.param(b"[]", "Expected `object`, got `array`", id="array"),
        pytest.param(b"{}", "missing required field `trade_fullinfo_get_response`", id="no-envelope"),
        pytest.param(line([]), "Expected `object`, got `array` - at `$.trade_fullinfo_get_response.trade`", id="inner"),
        pytest.param(line({"modified": "2026-11-11 00:00:00"}), "missing required field `tid`", id="no-key"),
        pytest.param(line({"tid": 1}), "missing required field `modified`", id="no-modified"),
        pytest.param(line({"tid": None, "modified": ""}), "got `null` - at", id="null-key"),
        pytest.param(line({"tid": 1.5, "modified": ""}), "got `float`", id="float-key"),
        pytest.param(line({"tid": "1x", "modified": "2026-11-11 00:00:00"}), "tid: not a whole number", id="text-key"),
        pytest.param(
            line({"tid": 2**63, "modified": "2026-11-11 00:00:00"}), "tid: does not fit 64 bits", id="big-key"
        ),
        pytest.param(line({"tid": 0, "modified": "2026-11-11 00:00:00"}), "tid: must be above 0", id="zero-key"),
        pytest.param(line({"tid": 1, "modified": "yesterday"}), "modified: not a time", id="no-time"),
        pytest.param(line({"tid": 1, "modified": "2026-02-30 00:00:00"}), "modified: not a time", id="no-such-day"),
        pytest.param(line({"tid": 1, "modified": "2026-W01-1 00:00:00"}), "modified: not a time", id="week"),
        pytest.param(line({"tid": 1, "modified": "2026-11-11T00:00:00"}), "modified: not a time", id="iso"),
    ],
)
def test_check_of_a_wrong_record_says_why_and_takes_the_others(wrong: bytes, reason: str) -> None:
    records, refused = CHECK(b"\n".join((GOOD, wrong, GOOD)))
    assert len(records) == 2
    assert [one.line for one in refused] == [2]
    assert reason in refused[0].reason


def test_check_of_too_many_records_is_refused_as_a_whole() -> None:
    assert len(CHECK(b"\n".join([GOOD] * 1000))[0]) == 1000
    with pytest.raises(TooManyError):
        CHECK(b"\n".join([GOOD] * 1001))


@given(st.binary(max_size=300))
def test_check_of_any_bytes_gives_an_answer_for_every_line(body: bytes) -> None:
    records, refused = CHECK(body)
    assert len(records) + len(refused) == sum(1 for raw in body.split(b"\n") if raw.strip())


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["tid", "modified", "x"]), _values) | _values)
def test_check_of_any_json_never_raises(trade: Any) -> None:
    records, refused = CHECK(line(trade))
    assert len(records) + len(refused) == 1
