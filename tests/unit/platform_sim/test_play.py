# SPDX-License-Identifier: Apache-2.0
"""Double 11: the same for the same seed, in four versions, with what makes it hard."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime

from cairn.platform_sim.play import STEPS, Play

PLAY = Play(400, "taobao001", datetime.fromisoformat("2026-11-11"))


def test_the_same_play_tells_the_same() -> None:
    assert list(PLAY) == list(replace(PLAY))
    assert list(PLAY) != list(replace(PLAY, seed=12))


def test_every_order_is_told_in_four_versions_some_late_some_twice() -> None:
    told = PLAY.told()
    times = Counter(told)
    assert times.keys() == {(number, step) for number in range(1, 401) for step in range(len(STEPS))}
    assert max(times.values()) == 2
    newest = dict.fromkeys(range(1, 401), -1)
    late = 0
    for number, step in told:
        late += step < newest[number]
        newest[number] = max(newest[number], step)
    assert late > 20, "older versions come after newer ones"


def test_an_order_gets_newer_with_each_version() -> None:
    for number in (1, 77, 400):
        records = [json.loads(PLAY.payload(number, step)) for step in range(len(STEPS))]
        trades = [one["trade_fullinfo_get_response"]["trade"] for one in records]
        assert [one["modified"] for one in trades] == sorted({one["modified"] for one in trades})
        assert {one["created"] for one in trades} == {trades[0]["modified"]}


def test_what_is_withheld_is_never_pushed_and_the_rest_always() -> None:
    assert all(pushed for _, pushed in PLAY)
    told = list(replace(PLAY, withheld=0.1))
    assert [payload for payload, _ in told] == [payload for payload, _ in PLAY], "what happens does not change"
    lost = {payload for payload, pushed in told if not pushed}
    assert 100 < len(lost) < 220
    assert not lost & {payload for payload, pushed in told if pushed}, "also not when it is told again"
