# SPDX-License-Identifier: Apache-2.0
"""What the writer of SQL Server leaves in a table, by its own statements: see `tsql` for what runs them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

import pytds
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cairn.datasets import shipped
from cairn.sql.postgresql import Target
from cairn.sql.push.fault import WriteError
from cairn.sql.push.rows import Order, Poison, Row, Written
from cairn.sql.push.sqlserver.writer import Writer
from cairn.sql.share.sqlserver.connection import Session
from unit.sql.tsql import Modelled

TRADES = shipped()["trades"]
BASE = datetime(2026, 11, 11)  # noqa: DTZ001
POISON = Poison("trades", "1", "nick", "PUSH@1", 7, 0, "BAD_JSON", None, "why", b"\x00\xff")


class Version(NamedTuple):
    second: int
    version: int
    hash: str


def row(key: int, version: Version, content: str = "") -> Row:
    modified = BASE + timedelta(seconds=version.second)
    values = (key, content, "fixed", "taobao001", "b", BASE, modified, version.hash, content)
    return Row(key, (modified, version.version, version.hash), values, ("s", version.version, 0))


class ModelWriter(Writer):
    def __init__(self, session: Modelled) -> None:
        super().__init__(lambda: cast("Target", None), TRADES)
        self.session = session

    async def _connect(self) -> Session:
        return cast("Session", self.session)


class BlindWriter(ModelWriter):
    """Looked the keys up before another writer committed them: all is left to the guard."""

    async def _there(self, session: Session, rows: Sequence[Row]) -> dict[int, Order]:
        return {}


@dataclass
class World:
    session: Modelled
    writer: ModelWriter

    def stand(self, old: dict[int, Any]) -> None:
        for key, (second, version, hashed) in old.items():
            self.session.run(
                "INSERT INTO [dbo].[jdp_tb_trade] (tid, modified, jdp_version, jdp_hashcode) VALUES (%s, %s, %s, %s)",
                (key, None if second is None else BASE + timedelta(seconds=second), version, hashed),
            )

    def write(self, rows: Sequence[Row], poison: Sequence[Poison] = ()) -> Written:
        return asyncio.run(self.writer.write(rows, poison))

    def there(self) -> dict[int, tuple[Any, ...]]:
        found = self.session.run(
            "SELECT tid, modified, jdp_version, jdp_hashcode, jdp_response, jdp_seq, jdp_modified, jdp_created"
            " FROM [dbo].[jdp_tb_trade]"
        )
        return {one[0]: tuple(one[1:]) for one in found}


def world(kind: type[ModelWriter] = ModelWriter, *, bulk: bool = True) -> World:
    session = Modelled(TRADES, bulk=bulk)
    return World(session, kind(session))


def order(triple: Any) -> Any:
    second, version, hashed = triple
    return (-1 if second is None else second, version or 0, hashed or "")


OLD_VERSIONS = list(itertools.product((None, 1, 2), (None, 1, 2), (None, "0a", "ff")))
NEW_VERSIONS = [Version(*one) for one in itertools.product((0, 1, 2), (0, 1, 2), ("", "0a", "ff"))]


@pytest.mark.parametrize("kind", [ModelWriter, BlindWriter])
def test_of_all_pairs_of_old_and_new_the_newer_stands(kind: type[ModelWriter]) -> None:
    """729 pairs, each in a row of its own, in one batch; NULL is below everything."""
    pairs = dict(enumerate(itertools.product(OLD_VERSIONS, NEW_VERSIONS), 1))
    assert len(pairs) == 729
    model = world(kind)
    model.stand({key: old for key, (old, _) in pairs.items()})
    written = model.write([row(key, new, str(new)) for key, (_, new) in pairs.items()])
    newer = {key for key, (old, new) in pairs.items() if order(old) < order(new)}
    assert written == Written(0, len(newer), 729 - len(newer), ())
    wrong = [
        (pairs[key], found)
        for key, found in model.there().items()
        if found[3] != (str(pairs[key][1]) if key in newer else None)
    ]
    assert wrong == []


VERSIONS = st.builds(Version, st.integers(0, 2), st.integers(0, 2), st.sampled_from(["", "0a", "9f", "ff"]))
BATCHES = st.lists(st.lists(st.tuples(st.integers(1, 3), VERSIONS), min_size=1, max_size=6), min_size=1, max_size=5)
OLD = st.dictionaries(
    st.integers(1, 3),
    st.tuples(st.none() | st.integers(0, 2), st.integers(0, 2), st.none() | st.sampled_from(["", "0a", "ff"])),
)


@pytest.mark.parametrize("kind", [ModelWriter, BlindWriter])
@pytest.mark.parametrize("bulk", [True, False])
@settings(max_examples=60)
@given(batches=BATCHES, old=OLD)
@example(batches=[[(1, Version(1, 1, "0a"))]], old={1: (1, 1, None)})
@example(batches=[[(1, Version(1, 0, "0a"))], [(1, Version(1, 0, "9f"))], [(1, Version(2, 0, ""))]], old={})
def test_any_batches_leave_the_newest_of_each_key_and_nothing_in_the_stage(
    kind: type[ModelWriter], bulk: bool, batches: Any, old: Any
) -> None:
    model = world(kind, bulk=bulk)
    model.stand(old)
    expected = dict(old)
    for key, version in (item for batch in batches for item in batch):
        if key not in expected or order(expected[key]) < order(version):
            expected[key] = version
    for batch in batches:
        model.write([row(key, version, str(version)) for key, version in batch])
    found = model.there()
    assert {key: value[:3] for key, value in found.items()} == {
        key: (None if second is None else BASE + timedelta(seconds=second), version, hashed)
        for key, (second, version, hashed) in expected.items()
    }
    for key, value in found.items():
        assert value[3] in (None, str(expected[key])), "a row is one record's, and no mixture"
    numbers = [value[4] for value in found.values() if value[4] is not None]
    assert len(set(numbers)) == len(numbers)
    assert model.session.run("SELECT COUNT(*) FROM [dbo].[jdp_stage_tb_trade]") == [(0,)]


@pytest.mark.parametrize("kind", [ModelWriter, BlindWriter])
def test_the_same_again_changes_neither_row_nor_number(kind: type[ModelWriter]) -> None:
    model = world(kind)
    batch = [row(key, Version(1, key, "aa"), "x") for key in range(1, 50)]
    assert model.write(batch) == Written(49, 0, 0, ())
    before = model.there()
    assert [found[4] for found in before.values()] == list(range(1, 50))
    assert model.write(batch) == Written(0, 0, 49, ())
    assert model.there() == before


def test_the_same_content_in_a_newer_version_gets_no_number_and_other_content_does() -> None:
    model = world()
    model.write([row(1, Version(1, 1, "aa"), "x")])
    first = model.there()[1]
    model.write([row(1, Version(1, 5, "aa"), "x")])
    again = model.there()[1]
    assert (again[1], again[4:]) == (5, first[4:])
    assert model.write([row(1, Version(2, 2, "bb"), "Y😀 "), row(2, Version(1, 1, "aa"))]) == Written(1, 1, 0, ())
    second = model.there()[1]
    assert second[3] == "Y😀 "
    assert second[4] > first[4]
    assert second[5] > first[5]
    assert second[6] == first[6]


def test_poison_is_kept_once_and_goes_back_with_its_batch() -> None:
    model = world()
    assert model.write([], [POISON]).quarantined == ("BAD_JSON",)
    assert model.write([row(1, Version(1, 1, "aa"))], [POISON]).quarantined == ()
    model.session.refuse = [("INSERT INTO [dbo].[jdp_tb_trade]", 547)]
    other = POISON._replace(stream_seq=8)
    with pytest.raises(WriteError) as refused:
        model.write([row(2, Version(1, 1, "aa"))], [other])
    assert refused.value.code == "547"
    assert set(model.there()) == {1}
    assert model.session.run("SELECT stream_seq FROM [dbo].[jdp_quarantine]") == [(7,)]


def test_a_key_that_was_taken_meanwhile_is_tried_again_and_not_for_ever() -> None:
    model = world()
    insert = "INSERT INTO [dbo].[jdp_tb_trade]"
    model.session.refuse = [(insert, 2627), (insert, 2601)]
    assert model.write([row(1, Version(1, 1, "aa"))]).inserted == 1
    model.session.refuse = [(insert, 2627)] * 3
    with pytest.raises(WriteError):
        model.write([row(2, Version(1, 1, "aa"))])
    assert set(model.there()) == {1}


def test_a_bulk_copy_that_fails_in_passing_is_no_reason_to_do_without() -> None:
    model = world()

    async def lost(*_: object) -> None:
        error = pytds.DatabaseError("deadlock")
        error.msg_no = 1205
        raise error

    copy, model.session.copy_in = model.session.copy_in, lost  # type: ignore[method-assign,assignment]
    with pytest.raises(WriteError):
        model.write([row(1, Version(1, 1, "aa"))])
    model.session.copy_in = copy  # type: ignore[method-assign]
    model.write([row(1, Version(1, 1, "aa"))])
    assert not any("INTO [dbo].[jdp_stage" in sent for sent in model.session.sent)


def test_what_a_dead_writer_left_in_the_stage_goes_after_an_hour() -> None:
    model = world()
    for hours in (2, 0):
        model.session.run(
            "INSERT INTO [dbo].[jdp_stage_tb_trade] (tid, jdp_staged) VALUES (%s, DATEADD(hour, %s, SYSUTCDATETIME()))",
            (hours, -hours),
        )
    model.write([row(1, Version(1, 1, "aa"))])
    assert model.session.run("SELECT tid FROM [dbo].[jdp_stage_tb_trade]") == [(0,)]
