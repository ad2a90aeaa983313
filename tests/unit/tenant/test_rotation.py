# SPDX-License-Identifier: Apache-2.0
"""Two logins, one password at a time: from any interruption it arrives at the same place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.tenant.rotation import rotation

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERY, OVERLAP = timedelta(days=30), timedelta(hours=24)


def test_first_password_is_due_at_once() -> None:
    found = rotation(0, None, START, EVERY, OVERLAP)
    assert (found.active, found.enabled, found.due, found.mint) == (None, (), True, "a")


def test_login_before_works_for_the_overlap_and_then_not() -> None:
    within = rotation(2, START, START + OVERLAP - timedelta(seconds=1), EVERY, OVERLAP)
    assert (within.active, within.enabled, within.due, within.next) == ("b", ("a", "b"), False, START + OVERLAP)
    after = rotation(2, START, START + OVERLAP, EVERY, OVERLAP)
    assert (after.enabled, after.due, after.next) == (("b",), False, START + EVERY)
    assert rotation(2, START, START + EVERY, EVERY, OVERLAP).due


def test_first_login_has_none_before_it() -> None:
    assert rotation(1, START, START, EVERY, OVERLAP).enabled == ("a",)


def test_secret_without_a_time_is_renewed() -> None:
    assert rotation(3, None, START, EVERY, OVERLAP).due


def test_time_to_come_ends_no_login_early() -> None:
    found = rotation(2, START + timedelta(days=400), START, EVERY, OVERLAP)
    assert (found.enabled, found.due) == (("a", "b"), False)


steps = st.lists(st.tuples(st.integers(0, 40 * 24), st.sampled_from(["nothing", "password", "secret"])), max_size=40)


@given(steps)
@settings(max_examples=100, deadline=None)
def test_whoever_has_the_secret_gets_in_at_every_moment(moves: list[tuple[int, str]]) -> None:
    """The operator may be killed after the password was set, or before anything; time passes as it likes."""
    now, generation, rotated, passwords = START, 0, None, {"a": -1, "b": -1}
    for hours, reached in moves:
        now += timedelta(hours=hours)
        found = rotation(generation, rotated, now, EVERY, OVERLAP)
        if generation:
            assert found.active in found.enabled
            assert passwords[str(found.active)] == generation, "the Secret's password is the login's"
        if found.due and reached != "nothing":
            assert found.mint != found.active
            assert found.mint not in found.enabled, "a login in use is never given a new password"
            passwords[found.mint] = generation + 1
            if reached == "secret":
                generation, rotated = generation + 1, now
    for _ in range(3):  # nobody interrupts any more
        found = rotation(generation, rotated, now, EVERY, OVERLAP)
        if found.due:
            passwords[found.mint] = generation + 1
            generation, rotated = generation + 1, now
    assert not rotation(generation, rotated, now, EVERY, OVERLAP).due
    assert rotation(generation, rotated, now, EVERY, OVERLAP).next is not None
    found = rotation(generation, rotated, now + OVERLAP, EVERY, OVERLAP)
    assert found.enabled == (found.active,)
