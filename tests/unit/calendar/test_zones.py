# SPDX-License-Identifier: Apache-2.0
"""Zone data: from the package alone; gaps and folds."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from cairn.calendar.zones import moment, names, zone, zone_problem
from unit.calendar.world import local, utc


def test_zone_data_is_the_packages_whatever_the_host_has(tmp_path: Path) -> None:
    """Here the host has a Shanghai that lies in Greenwich."""
    utc_data = files("tzdata").joinpath("zoneinfo", "UTC").read_bytes()
    (tmp_path / "Asia").mkdir()
    (tmp_path / "Asia" / "Shanghai").write_bytes(utc_data)
    zoneinfo.reset_tzpath(to=[tmp_path])
    try:
        assert zoneinfo.ZoneInfo.no_cache("Asia/Shanghai").utcoffset(local("2026-11-11")) == timedelta()
        zone.cache_clear()
        found = zone("Asia/Shanghai")
    finally:
        zoneinfo.reset_tzpath()
        zone.cache_clear()
    assert found is not None
    assert moment(local("2026-11-11"), found) == utc("2026-11-10T16:00")


def test_every_zone_can_be_read() -> None:
    for name in names():
        found = zone(name)
        assert found is not None, name
        moment(local("2026-11-11"), found)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Asia/Shanghi", "did you mean Asia/Shanghai"),
        ("asia/shanghai", "did you mean Asia/Shanghai"),
        ("Mars/Olympus_Mons_Base_7", "write one such as Asia/Shanghai or UTC"),
        ("../../etc/passwd", "write one such as"),
        ("zones", "write one such as"),
    ],
)
def test_unknown_zone_is_named_with_its_field_and_a_remedy(name: str, hint: str) -> None:
    assert zone(name) is None
    said = zone_problem("spec.timeZone", name)
    assert said.startswith(f"spec.timeZone: there is no time zone {name}: ")
    assert hint in said


def test_known_zone_is_no_problem() -> None:
    assert zone_problem("spec.timeZone", "Asia/Shanghai") == ""


@pytest.mark.parametrize(
    ("name", "text", "means"),
    [
        pytest.param("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30", id="gap: 02:30 is 03:30 EDT"),
        pytest.param("Europe/Berlin", "2026-03-29T02:00", "2026-03-29T01:00", id="gap: its first minute is its end"),
        pytest.param("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45", id="gap of half an hour"),
        pytest.param("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T22:00", id="gap of a day: noon of the 31st"),
        pytest.param("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30", id="fold: the first, still EDT"),
        pytest.param("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45", id="fold of half an hour"),
        pytest.param("Asia/Shanghai", "2026-11-11T00:00", "2026-11-10T16:00", id="neither"),
    ],
)
def test_local_time_in_gap_moves_on_and_in_fold_is_the_first(name: str, text: str, means: str) -> None:
    where = zone(name)
    assert where is not None
    assert moment(datetime.fromisoformat(text), where) == utc(means)
