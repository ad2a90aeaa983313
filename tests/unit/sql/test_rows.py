# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from cairn.sql.push.rows import Order, Row, newest, split

ORDERS = st.tuples(
    st.integers(0, 2).map(lambda second: datetime(2026, 11, 11) + timedelta(seconds=second)),  # noqa: DTZ001
    st.integers(0, 2),
    st.sampled_from(["", "0a", "ff"]),
)
ROWS = st.lists(st.builds(Row, st.integers(1, 4), ORDERS, st.just(()), st.just(("s", 1, 0))))


@given(ROWS, st.randoms())
def test_newest_is_one_row_a_key_whatever_the_order(rows: list[Row], random: Random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    found = newest(shuffled)
    assert found == newest(rows)
    assert [row.key for row in found] == sorted({row.key for row in rows})
    assert all(row.order <= best.order for best in found for row in rows if row.key == best.key)


@given(ROWS, st.dictionaries(st.integers(1, 4), ORDERS))
def test_split_puts_each_row_into_one_part(rows: list[Row], there: dict[int, Order]) -> None:
    distinct = newest(rows)
    parts = split(distinct, there)
    assert len(parts.new) + len(parts.changed) + parts.stale == len(distinct)
    assert all(row.key not in there for row in parts.new)
    assert all(there[row.key] < row.order for row in parts.changed)
