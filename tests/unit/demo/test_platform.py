# SPDX-License-Identifier: Apache-2.0
"""When the demo's orders happen, and what its platform keeps to itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from demo import platform
from demo.log import read
from demo.orders import Stream
from demo.target import Obj, Target

NOW = datetime(2026, 11, 23, 12, 30)  # noqa: DTZ001  the platform's wall clock


class Fixed(Target):
    """A demo whose seller subscribed at noon, on the platform's clock a day later."""

    def get(self, *_args: str) -> Obj | None:
        return {"metadata": {"creationTimestamp": "2026-11-22T17:00:00Z"}}


def test_today_is_the_day_of_the_subscription_on_the_platforms_clock() -> None:
    assert platform.today(Fixed()) == datetime(2026, 11, 23, 1)  # noqa: DTZ001


def test_history_ended_before_the_first_pushed_order_was_made_and_all_of_those_before_today() -> None:
    first = platform.first_day(NOW)
    old = [one.modified for one in platform.history(Fixed())]
    pushed = [one.modified for one in Stream(400, 9, first_day=first).newest() if one.kind != "real"]

    assert len(old) == platform.HISTORY_ORDERS
    assert max(old) < str(first) <= min(pushed)
    assert max(pushed) < str(NOW.date())


def test_note_passes_everything_on_and_logs_what_nobody_pushes(tmp_path: Path) -> None:
    records = list(Stream(2000, 9).newest())

    passed = list(platform.note(tmp_path / "held", records))

    assert passed == records
    noted = [one for answer in read(tmp_path / "held") for one in answer.accepted]
    assert [one.key for one in noted] == [one.key for one in records if one.kind == "unpushed"]
    assert len(noted) == 2
