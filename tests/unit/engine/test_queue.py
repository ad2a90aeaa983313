# SPDX-License-Identifier: Apache-2.0
"""The queue's promises, on a clock that a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.engine.queue import Queue
from unit.engine.clock import MovedLoop


@pytest.fixture
def loop() -> Iterator[MovedLoop]:
    loop = MovedLoop()
    yield loop
    loop.close()


def test_get_key_added_twice_comes_once(loop: MovedLoop) -> None:
    async def body() -> None:
        queue: Queue[str] = Queue()
        queue.add("a")
        queue.add("a")
        assert await queue.get() == "a"
        queue.done("a")
        assert queue.idle()

    loop.run_until_complete(body())


def test_add_key_in_work_comes_again_only_when_done(loop: MovedLoop) -> None:
    async def body() -> None:
        queue: Queue[str] = Queue()
        queue.add("a")
        key = await queue.get()
        queue.add(key)
        queue.add(key)
        assert queue.depth() == {"live": 0, "slow": 0}, "never twice at a time"
        queue.done(key)
        assert await queue.get() == "a"
        queue.done(key)
        assert queue.idle()

    loop.run_until_complete(body())


def test_get_live_key_overtakes_the_resync(loop: MovedLoop) -> None:
    async def body() -> None:
        queue: Queue[str] = Queue()
        for key in "abc":
            queue.add(key, live=False)
        queue.add("c")
        order = [await queue.get() for _ in range(3)]
        assert order == ["c", "a", "b"]

    loop.run_until_complete(body())


def test_add_after_of_two_appointments_the_earlier_holds(loop: MovedLoop) -> None:
    async def body() -> float:
        queue: Queue[str] = Queue()
        queue.add_after("a", 50)
        queue.add_after("a", 20)
        queue.add_after("a", 90)
        await queue.get()
        return loop.time()

    assert loop.run_until_complete(body()) == pytest.approx(20)


def test_retry_backs_off_twofold_up_to_the_cap_and_starts_anew_after_success(loop: MovedLoop) -> None:
    async def body() -> None:
        queue: Queue[str] = Queue(base_seconds=1, cap_seconds=8, jitter=lambda: 1.0)
        assert [queue.retry("a") for _ in range(5)] == [1, 2, 4, 8, 8]
        queue.succeeded("a")
        assert queue.retry("a") == 1

    loop.run_until_complete(body())


def test_retry_is_jittered_between_half_and_whole(loop: MovedLoop) -> None:
    async def body() -> None:
        values = iter([0.0, 1.0])
        queue: Queue[str] = Queue(base_seconds=4, cap_seconds=4, jitter=lambda: next(values))
        assert [queue.retry("a"), queue.retry("a")] == [2, 4]

    loop.run_until_complete(body())


def test_forget_appointment_does_not_come(loop: MovedLoop) -> None:
    async def body() -> None:
        queue: Queue[str] = Queue()
        queue.add_after("a", 1)
        queue.forget("a")
        queue.add_after("b", 2)
        assert await queue.get() == "b"

    loop.run_until_complete(body())


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["add", "slow", "get", "done"]), st.sampled_from("abc")), max_size=40))
def test_queue_any_history_no_key_twice_in_work_and_none_lost(history: list[tuple[str, str]]) -> None:
    async def body() -> None:
        queue: Queue[str] = Queue()
        working: set[str] = set()
        owed: set[str] = set()
        for verb, key in history:
            if verb in ("add", "slow"):
                queue.add(key, live=verb == "add")
                owed.add(key)
            elif verb == "get" and any(queue.depth().values()):
                got = await queue.get()
                assert got not in working
                working.add(got)
                owed.discard(got)
            elif verb == "done" and key in working:
                working.discard(key)
                queue.done(key)
        for key in sorted(working):
            queue.done(key)
        left = {await queue.get() for _ in range(sum(queue.depth().values()))}
        assert left == owed

    asyncio.run(body())
