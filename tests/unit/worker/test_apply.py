# SPDX-License-Identifier: Apache-2.0
"""Waiting, cutting down, quarantining: with a database that fails as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from cairn.api.conditions import Reason
from cairn.sql.errors import SqlError
from cairn.sql.push.fault import Fault
from cairn.sql.push.rows import Poison, Row, Written
from cairn.worker import apply
from cairn.worker.apply import MAX_REFUSED_PER_MINUTE, Applier
from cairn.worker.faults import fault
from cairn.worker.metrics import Metrics

WHEN = datetime(2026, 11, 11)  # noqa: DTZ001


def row(key: int) -> Row:
    return Row(key, (WHEN, key, "aa"), (key, f"payload {key}"), ("PUSH@1", key, 0))


class StubSink:
    """Commits unless `wrong` gives an error for these rows."""

    def __init__(self, wrong: Callable[[Sequence[Row]], Exception | None]) -> None:
        self.wrong = wrong
        self.rows: list[int] = []
        self.poison: list[Poison] = []
        self.attempts = 0
        self.closed = 0

    async def write(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Written:
        self.attempts += 1
        error = self.wrong(rows)
        if error is not None:
            raise error
        self.rows += [row.key for row in rows]
        self.poison += poison
        return Written(inserted=len(rows), quarantined=tuple(one.reason for one in poison))

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "FIRST_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(apply, "BREAKER_WAIT_SECONDS", 0.001)
    monkeypatch.setattr(apply, "LONGEST_WAIT_SECONDS", 0.002)


def applier(sink: StubSink) -> tuple[Applier, Metrics]:
    metrics = Metrics("ns/name")
    return Applier("trades", sink, metrics.lane("trades"), metrics), metrics


async def held(made: Applier) -> None:
    async with asyncio.timeout(5):
        while made.held is None:  # noqa: ASYNC110 -- the lane has nobody to tell
            await asyncio.sleep(0.001)


def failing(times: int, error: Exception) -> Callable[[Sequence[Row]], Exception | None]:
    left = [times]

    def wrong(_rows: Sequence[Row]) -> Exception | None:
        left[0] -= 1
        return error if left[0] >= 0 else None

    return wrong


def poisonous(*keys: int) -> Callable[[Sequence[Row]], Exception | None]:
    return lambda rows: asyncpg.CheckViolationError("refused") if {row.key for row in rows} & set(keys) else None


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.SerializationError("x"), Fault.TRANSIENT),
        (asyncpg.DeadlockDetectedError("x"), Fault.TRANSIENT),
        (asyncpg.LockNotAvailableError("x"), Fault.TRANSIENT),
        (asyncpg.AdminShutdownError("x"), Fault.TRANSIENT),
        (asyncpg.TooManyConnectionsError("x"), Fault.TRANSIENT),
        (asyncpg.QueryCanceledError("x"), Fault.TRANSIENT),
        (asyncpg.ConnectionDoesNotExistError("x"), Fault.TRANSIENT),
        (asyncpg.InterfaceError("closed"), Fault.TRANSIENT),
        (ConnectionResetError(), Fault.TRANSIENT),
        (TimeoutError(), Fault.TRANSIENT),
        (SqlError(Reason.DATABASE_UNREACHABLE, "x"), Fault.TRANSIENT),
        (asyncpg.CheckViolationError("x"), Fault.ROW),
        (asyncpg.UniqueViolationError("x"), Fault.ROW),
        (asyncpg.UntranslatableCharacterError("x"), Fault.ROW),
        (asyncpg.DataError("x"), Fault.ROW),
        (asyncpg.DiskFullError("x"), Fault.DESTINATION),
        (asyncpg.InsufficientPrivilegeError("x"), Fault.DESTINATION),
        (asyncpg.UndefinedColumnError("x"), Fault.DESTINATION),
        (asyncpg.StringDataRightTruncationError("x"), Fault.DESTINATION),
        (asyncpg.NotNullViolationError("x"), Fault.DESTINATION),
        (asyncpg.ReadOnlySQLTransactionError("x"), Fault.DESTINATION),
        (asyncpg.RaiseError("a trigger of the seller's"), Fault.DESTINATION),
        (SqlError(Reason.AUTHENTICATION_FAILED, "x"), Fault.DESTINATION),
        (RuntimeError("nobody foresaw it"), Fault.DESTINATION),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_apply_through_trouble_that_passes_writes_all_and_quarantines_only_for_the_row(
    error: Exception, kind: Fault
) -> None:
    assert fault(error) is kind
    sink = StubSink(failing(3, error))
    made, metrics = applier(sink)
    total = await made.apply([row(1)], [])
    assert made.held is None
    if kind is Fault.ROW:
        assert sink.rows == []
        return
    assert sink.rows == [1]
    assert sink.poison == []
    assert sink.closed == 3
    assert total.inserted == 1
    labels = {"subscription": "ns/name", "dataset": "trades", "class": kind.value}
    counted = [
        sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "cairn_push_errors_total" and labels.items() <= sample.labels.items()
    ]
    assert counted == [3]


async def test_apply_of_a_batch_with_poison_writes_the_others_and_keeps_its_bytes() -> None:
    sink = StubSink(poisonous(3, 70))
    total = await applier(sink)[0].apply([row(key) for key in range(1, 101)], [])
    assert sorted(sink.rows) == [key for key in range(1, 101) if key not in (3, 70)]
    assert [(one.object_key, one.reason, one.error_code, one.payload) for one in sink.poison] == [
        ("3", "ROW_REFUSED", "23514", b"payload 3"),
        ("70", "ROW_REFUSED", "23514", b"payload 70"),
    ]
    assert total.inserted == 98


async def test_apply_writes_the_poison_it_was_given_once_also_when_it_halves() -> None:
    sink = StubSink(poisonous(2))
    given = Poison("trades", "9", None, "PUSH@1", 9, 0, "BAD_JSON", None, "", b"x")
    await applier(sink)[0].apply([row(key) for key in range(1, 5)], [given])
    assert [one.reason for one in sink.poison].count("BAD_JSON") == 1


async def test_apply_that_fails_half_way_writes_and_counts_each_record_once() -> None:
    """One record is to blame, so the batch is halved; the database goes after the first half was committed."""
    sink = StubSink(lambda _rows: None)

    def wrong(rows: Sequence[Row]) -> Exception | None:
        if 50 in {row.key for row in rows}:
            return asyncpg.CheckViolationError("refused")
        return ConnectionResetError() if sink.rows and not sink.closed else None

    sink.wrong = wrong
    total = await applier(sink)[0].apply([row(key) for key in range(1, 101)], [])
    assert sorted(sink.rows) == [key for key in range(1, 101) if key != 50]
    assert [one.object_key for one in sink.poison] == ["50"]
    assert total.inserted == 99, "what was committed before the fault counts as well"


async def test_apply_holds_the_lane_when_too_many_records_are_refused() -> None:
    """A table that refuses everything is at fault itself: a whole shop must not end in quarantine."""
    sink = StubSink(lambda rows: asyncpg.CheckViolationError("refused") if rows else None)
    made, _ = applier(sink)
    made._refused.extend([time.monotonic()] * (MAX_REFUSED_PER_MINUTE - 5))
    given = Poison("trades", "999", None, "PUSH@1", 999, 0, "BAD_JSON", None, "", b"x")
    task = asyncio.create_task(made.apply([row(key) for key in range(1, 200)], [given]))
    await held(made)
    assert "TooManyRefused" in str(made.held)
    made.mended.clear()
    sink.wrong = lambda _rows: None
    await asyncio.wait_for(task, 5)
    assert made.mended.is_set(), "what was refused before, in other batches, deserves another try"
    assert [one.object_key for one in sink.poison] == ["999", "1", "2", "3", "4", "5"]
    assert sorted(sink.rows) == list(range(1, 200))


async def test_once_says_by_what_a_record_is_refused_and_neither_holds_the_lane_nor_counts_for_the_valve() -> None:
    sink = StubSink(poisonous(1))
    made, _ = applier(sink)
    for _ in range(MAX_REFUSED_PER_MINUTE + 1):
        with pytest.raises(asyncpg.CheckViolationError):
            await made.once(row(1))
    assert (await made.once(row(2))).inserted == 1
    await made.apply([row(1)], [])
    assert (made.held, sink.closed, [one.object_key for one in sink.poison]) == (None, 0, ["1"])


async def test_apply_that_is_held_says_so_until_the_database_is_mended() -> None:
    sink = StubSink(lambda _rows: asyncpg.UndefinedColumnError("column jdp_seq does not exist"))
    made, metrics = applier(sink)
    task = asyncio.create_task(made.apply([row(1)], []))
    await held(made)
    labels = {"subscription": "ns/name", "dataset": "trades"}
    assert "column jdp_seq does not exist" in str(made.held)
    assert metrics.registry.get_sample_value("cairn_push_breaker_state", labels) == 1
    sink.wrong = lambda _rows: None
    await asyncio.wait_for(task, 5)
    assert metrics.registry.get_sample_value("cairn_push_breaker_state", labels) == 0
    assert made.held is None
    assert sink.poison == []


async def test_apply_never_shows_what_stands_in_a_row() -> None:
    """The server's DETAIL quotes the failing row, with everything the buyer is called and lives at."""
    error = asyncpg.NotNullViolationError("null value in column")
    error.detail = "Failing row contains (1, Zhang San, ...)."
    assert "Zhang" in str(error)
    sink = StubSink(lambda _rows: error)
    made, _ = applier(sink)
    task = asyncio.create_task(made.apply([row(1)], []))
    await held(made)
    assert "Zhang" not in str(made.held)
    assert "null value in column" in str(made.held)
    task.cancel()


async def test_database_that_fell_back_is_noted_with_its_time_and_counted() -> None:
    class Fallen(StubSink):
        async def write(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Written:
            return replace(await super().write(rows, poison), fell_back=self.attempts == 2)

    made, metrics = applier(Fallen(lambda _: None))
    before = datetime.now(UTC)
    noticed = []
    for key in (1, 2, 3):
        await made.apply([row(key)], [])
        noticed.append(made.doubted)

    assert noticed[0] is None
    assert noticed[1] is not None
    assert noticed[1] == noticed[2]
    assert before <= noticed[1] <= datetime.now(UTC)
    labels = {"subscription": "ns/name", "dataset": "trades"}
    assert metrics.registry.get_sample_value("cairn_push_fell_back_total", labels) == 1
