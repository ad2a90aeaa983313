# SPDX-License-Identifier: Apache-2.0
"""The calendar's picture: valid, the same every time, and everything within its place."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.calendar.picture import LANE, LEFT, RIGHT, WIDTH, Figure, Lane, Span, Step, picture, ticks
from cairn.calendar.windows import Interval
from unit.calendar.priced import utc

GOLDEN = Path(__file__).parent.parent / "golden" / "calendar" / "picture.svg"
SHANGHAI = ZoneInfo("Asia/Shanghai")
WINDOW = Interval(
    start=utc(2026, 11, 10, 12),
    end=utc(2026, 11, 11, 16),
    warm_up_from=utc(2026, 11, 10, 6),
    cool_down_until=utc(2026, 11, 12, 4),
)


def step(at: datetime, floor: int, ceiling: int) -> Step:
    return Step(at, Fraction(floor), Fraction(ceiling), f"{floor} to {ceiling} vCPU")


MACHINE = Lane(
    name="shop",
    notes=("SellerVM in seller-2088", "vm.medium, 4 vCPU", "peak: vm.large ×21..41, 168..328 vCPU"),
    steps=(
        step(utc(2026, 11, 9), 4, 4),
        step(utc(2026, 11, 10, 6), 88, 328),
        step(utc(2026, 11, 10, 9), 168, 328),
        step(utc(2026, 11, 12, 4), 4, 4),
    ),
    spans=(Span(WINDOW, freeze=True),),
    money=("+875.00", "at most 1840.00"),
)
DATABASE = Lane("shop-db", ("SellerRDS in seller-2088", "db.medium, 2 vCPU"), (step(utc(2026, 11, 9), 2, 2),), (), ())
FIGURE = Figure(
    title="Calendar of bolt",
    since=utc(2026, 11, 9),
    until=utc(2026, 11, 14),
    zone=SHANGHAI,
    zone_name="Asia/Shanghai",
    lanes=(MACHINE, DATABASE),
    heads=((WINDOW, "11.11: 2026-11-10 20:00 to 2026-11-12 00:00, Asia/Shanghai"),),
    totals=("Plans in this time: 300.00 CNY", "Promotions on top: 875.00 CNY, 1840.00 CNY if load raises all"),
)
SVG = "{http://www.w3.org/2000/svg}"


def drawn(figure: Figure) -> ElementTree.Element:
    return ElementTree.fromstring(picture(figure))


def boxes(root: ElementTree.Element, name: str) -> list[tuple[float, float]]:
    """Left and right of every box of a look, the legend's left out, whose boxes are 12 high."""
    found = [one for one in root.iter(f"{SVG}rect") if one.get("class") == name and one.get("height") != "12"]
    return [(float(one.get("x", 0)), float(one.get("x", 0)) + float(one.get("width", 0))) for one in found]


def path(root: ElementTree.Element, name: str) -> list[tuple[float, float]]:
    """The corners of the first path of a look."""
    line = next(one.get("d", "") for one in root.iter(f"{SVG}path") if one.get("class") == name)
    x = y = 0.0
    corners = []
    for command, rest in re.findall(r"([MLHV])([-0-9. ]+)", line):
        numbers = [float(number) for number in rest.split()]
        x = numbers[0] if command in "MLH" else x
        y = numbers[-1] if command in "MLV" else y
        corners.append((x, y))
    return corners


def at(when: datetime) -> float:
    share = (when - FIGURE.since) / (FIGURE.until - FIGURE.since)
    return LEFT + (RIGHT - LEFT) * share


def test_picture_is_the_golden_one() -> None:
    assert picture(FIGURE) == GOLDEN.read_text(encoding="utf-8")


def test_shades_stand_where_the_window_is() -> None:
    root = drawn(FIGURE)
    expected = {
        "warm": (WINDOW.warm_up_from, WINDOW.start),
        "window": (WINDOW.start, WINDOW.end),
        "cool": (WINDOW.end, WINDOW.cool_down_until),
        "frozen": (WINDOW.warm_up_from, WINDOW.end),
    }
    for name, (left, right) in expected.items():
        for found in boxes(root, name):
            assert found == pytest.approx((at(left), at(right)), abs=0.2), name
        assert boxes(root, name)


def test_what_is_not_frozen_is_not_hatched() -> None:
    lane = replace(MACHINE, spans=(Span(WINDOW, freeze=False),))
    assert boxes(drawn(replace(FIGURE, lanes=(lane,))), "frozen") == []


def test_height_is_in_proportion_and_the_ceiling_above_the_floor() -> None:
    root = drawn(FIGURE)
    floor, ceiling = path(root, "floor"), path(root, "ceiling")
    base = floor[0][1]
    heights = {base - y for _, y in floor} | {base - y for _, y in ceiling}
    assert max(heights) == LANE - 10
    for cores in (4, 88, 168):
        assert any(abs(height - (LANE - 10) * cores / 328) < 0.1 for height in heights)
    assert min(y for _, y in ceiling) < min(y for _, y in floor)


def test_what_load_cannot_raise_has_no_outline() -> None:
    root = drawn(replace(FIGURE, lanes=(DATABASE,)))
    assert not [one for one in root.iter(f"{SVG}path") if one.get("class") == "ceiling"]


def test_long_names_are_cut_to_their_place() -> None:
    lane = replace(MACHINE, name="a" * 40, notes=("b" * 200,), money=("9" * 60,))
    root = drawn(replace(FIGURE, lanes=(lane,), title="t" * 500, totals=("s" * 500,), heads=((WINDOW, "h" * 300),)))
    texts = [one.text or "" for one in root.iter(f"{SVG}text")]
    assert sum(text.endswith("…") for text in texts) == 6
    assert max(map(len, texts)) * 6.6 < WIDTH


def test_wide_characters_take_the_place_of_two() -> None:
    texts = [one.text or "" for one in drawn(replace(FIGURE, title="双" * 200)).iter(f"{SVG}text")]
    assert [len(text) for text in texts if text.startswith("双")] == [57 + 1]


def test_text_that_no_xml_may_hold_is_replaced() -> None:
    lane = replace(MACHINE, name="<&\x00\ud800", notes=('"quoted" & <b>双11</b>',))
    texts = [one.text for one in drawn(replace(FIGURE, lanes=(lane,))).iter(f"{SVG}text")]
    assert "<&��" in texts
    assert '"quoted" & <b>双11</b>' in texts


def test_ticks_are_round_local_times_across_daylight_saving() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    found = list(ticks(utc(2026, 10, 24), utc(2026, 10, 27), berlin, timedelta(days=1)))
    assert found == [utc(2026, 10, 24, 22), utc(2026, 10, 25, 23), utc(2026, 10, 26, 23)]
    assert [one.astimezone(berlin).hour for one in found] == [0, 0, 0]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [timedelta(seconds=1), timedelta(hours=5), timedelta(days=3), timedelta(days=90), timedelta(days=3660)]
    ),
    st.integers(-400, 400),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"]),
)
def test_everything_lies_within_its_place_whatever_the_time(length: timedelta, shift: int, zone: str) -> None:
    since = FIGURE.since + timedelta(hours=shift)
    steps = [replace(one, start=max(one.start, since)) for one in MACHINE.steps if one.start < since + length]
    lane = replace(MACHINE, steps=tuple(steps) or (step(since, 1, 2),))
    spans = (WINDOW.warm_up_from < since + length) and (WINDOW.cool_down_until > since)
    figure = replace(
        FIGURE,
        since=since,
        until=since + length,
        zone=ZoneInfo(zone),
        lanes=(lane if spans else replace(lane, spans=()),),
        heads=FIGURE.heads if spans else (),
    )
    root = drawn(figure)
    labels = [float(one.get("x", 0)) for one in root.iter(f"{SVG}text") if one.get("class") == "mid quiet"]
    assert all(right - left >= 70 for left, right in pairwise(labels))
    for name in ("warm", "window", "cool", "frozen"):
        assert all(LEFT <= left <= right <= RIGHT + 0.1 for left, right in boxes(root, name))
    assert all(LEFT <= x <= RIGHT for x, _ in path(root, "floor"))
    height = float(root.get("height", 0))
    assert all(0 <= float(one.get("y", 0)) <= height for one in root.iter() if one.get("y"))


def test_same_figure_gives_the_same_text_whatever_the_clock() -> None:
    assert picture(FIGURE) == picture(replace(FIGURE, since=FIGURE.since.astimezone(UTC)))
