# SPDX-License-Identifier: Apache-2.0
"""RFC 5545 recurrence rules, a year at a time: what a year costs doesn't depend on when the rule began, and a rule that
never occurs is found out after so many years. dateutil expands each year; the phase of INTERVAL and BYSETPOS, which go
beyond a year, are here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from itertools import groupby
from typing import Any

from dateutil import rrule

FIRST_YEAR, LAST_YEAR = 1970, 2200
MOST_TIMES = 1000
FREQUENCIES = {name: getattr(rrule, name) for name in ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")}
DAYS = {str(day): day for day in (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)}
_RANGES = {
    "INTERVAL": (1, 10000),
    "COUNT": (1, MOST_TIMES),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "BYHOUR": (0, 23),
}
_ONCE = ("INTERVAL", "COUNT")
_MONTHLY_UP, _YEARLY = ("YEARLY", "MONTHLY"), ("YEARLY",)
_ONLY_WITH = {"BYMONTHDAY": ("YEARLY", "MONTHLY", "DAILY"), "BYYEARDAY": _YEARLY, "BYWEEKNO": _YEARLY}
_DAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)\Z")
_UNTIL = re.compile(r"[0-9]{8}T[0-9]{6}Z?\Z")


class Recurrence:
    """A rule and its start: the local times of each year. ValueError with what is wrong and what to do about it."""

    def __init__(self, rule: str, start: datetime) -> None:
        self._start, self.first_year = start, start.year
        parts = _parts(rule)
        self._freq = parts.pop("FREQ")
        if self._freq not in FREQUENCIES:
            raise ValueError(f"FREQ={self._freq} is none of {', '.join(FREQUENCIES)}: choose one")
        numbers = {name: _numbers(name, parts[name]) for name in parts if name in _RANGES}
        for name in parts:
            if self._freq not in _ONLY_WITH.get(name, (self._freq,)):
                raise ValueError(f"{name} means nothing with FREQ={self._freq}: use FREQ={_ONLY_WITH[name][0]}")
        self._interval = numbers.pop("INTERVAL", (1,))[0]
        self.count = numbers.pop("COUNT", (0,))[0]
        self._positions = numbers.pop("BYSETPOS", ())
        self.until, self.until_is_utc = _until(parts.get("UNTIL"))
        if self.count and self.until:
            raise ValueError("COUNT and UNTIL can't stand together: keep one")
        self._week_start = _week_start(parts.get("WKST", "MO"))
        self._by = self._parts_by(numbers, parts.get("BYDAY"))

    def year(self, year: int) -> tuple[datetime, ...]:
        """Local times in a year at which it occurs, in order, by the rule and its start; COUNT and UNTIL aside."""
        if not self._start.year <= year <= LAST_YEAR:
            return ()
        found: Iterator[datetime] = (when for when in self._candidates(year) if self._in_phase(when))
        if self._positions:
            found = (when for when in self._picked(year) if when.year == year)
        return tuple(when for when in found if when >= self._start)

    def _parts_by(self, numbers: Mapping[str, tuple[int, ...]], days: str | None) -> dict[str, Any]:
        """BY parts as dateutil calls them; what the rule leaves open comes from its start, as the RFC says."""
        by: dict[str, Any] = {name.lower(): found for name, found in numbers.items()}
        if days:
            by["byweekday"] = [self._day(day, weekly="byweekno" in by) for day in days.split(",")]
        if self._positions and not by:
            raise ValueError("BYSETPOS chooses among what another BY part names: add one, such as BYDAY")
        if not by.keys() & {"byweekday", "bymonthday", "byyearday", "byweekno"}:
            if self._freq == "DAILY":
                by["byweekday"] = list(DAYS.values())
            elif self._freq == "WEEKLY":
                by["byweekday"] = self._start.weekday()
            else:
                by["bymonthday"] = self._start.day
                if self._freq == "YEARLY":
                    by.setdefault("bymonth", self._start.month)
        elif "byweekno" in by and not by.keys() & {"byweekday", "bymonthday", "byyearday"}:
            by["byweekday"] = self._start.weekday()
        if self._freq == "MONTHLY":
            by.setdefault("bymonth", range(1, 13))  # so that 2TU is the second Tuesday of the month
        by.setdefault("byhour", self._start.hour)
        return by | {"byminute": self._start.minute, "bysecond": self._start.second}

    def _day(self, text: str, *, weekly: bool) -> Any:
        found = _DAY.match(text)
        if not found:
            raise ValueError(
                f"BYDAY={text} is no day: write MO, TU, WE, TH, FR, SA or SU, or with a number such as 2TU"
            )
        number, day = found[1], DAYS[found[2]]
        if number is None:
            return day
        if self._freq not in _MONTHLY_UP or weekly:
            raise ValueError(f"BYDAY={text} counts the days of a month: use FREQ=MONTHLY, or leave out the number")
        if not 1 <= abs(int(number)) <= 53:
            raise ValueError(f"BYDAY={text}: the number must be from 1 to 53, or from -53 to -1")
        return day(int(number))

    def _candidates(self, year: int) -> Iterator[datetime]:
        """The year by its BY parts. An interval beyond the end of all years stops dateutil after this one."""
        begin = datetime.combine(date(year, 1, 1), time())
        return iter(rrule.rrule(rrule.YEARLY, dtstart=begin, interval=9999, wkst=self._week_start, **self._by))

    def _period(self, when: datetime) -> int:
        """A number of the year, month, week or day that goes up by one from each to the next."""
        if self._freq == "YEARLY":
            return when.year
        if self._freq == "MONTHLY":
            return when.year * 12 + when.month
        days = when.toordinal()
        return days if self._freq == "DAILY" else (days - 1 - self._week_start) // 7

    def _in_phase(self, when: datetime) -> bool:
        return (self._period(when) - self._period(self._start)) % self._interval == 0

    def _picked(self, year: int) -> Iterator[datetime]:
        """By BYSETPOS, of each period; a week may begin in one year and end in the next."""
        years = range(year - 1, year + 2) if self._freq == "WEEKLY" else (year,)
        whole = (when for each in years for when in self._candidates(each) if self._in_phase(when))
        for _, members in groupby(whole, key=self._period):
            period = list(members)
            places = {place - 1 if place > 0 else len(period) + place for place in self._positions}
            yield from (period[place] for place in sorted(places) if 0 <= place < len(period))


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    known = ("FREQ", *_RANGES, "BYDAY", "UNTIL", "WKST")
    for part in rule.split(";"):
        name, _, value = part.partition("=")
        if name not in known:
            raise ValueError(f"{name} is not supported: leave it out; there are {', '.join(known)}")
        if name in parts:
            raise ValueError(f"{name} stands twice: keep one")
        parts[name] = value
    return parts


def _numbers(name: str, text: str) -> tuple[int, ...]:
    low, high = _RANGES[name]
    values = text.split(",")
    if name in _ONCE and len(values) > 1:
        raise ValueError(f"{name}={text}: write one number")
    for value in values:
        if not re.match(r"[+-]?[0-9]{1,9}\Z", value) or not low <= int(value) <= high or (low < 0 and int(value) == 0):
            span = f"from {low} to {high}" if low >= 0 else f"from 1 to {high}, or from {low} to -1"
            hint = ": end it by UNTIL instead" if name == "COUNT" else ""
            raise ValueError(f"{name}={value}: write a number {span}{hint}")
    return tuple(sorted({int(value) for value in values}))


def _until(text: str | None) -> tuple[datetime | None, bool]:
    if text is None:
        return None, False
    if not _UNTIL.match(text):
        raise ValueError(f"UNTIL={text} is no time: write one such as UNTIL=20271231T235959, with Z for UTC")
    try:
        found = datetime.strptime(text[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"UNTIL={text}: there is no such date: choose one that exists") from None
    return (found, True) if text.endswith("Z") else (found.replace(tzinfo=None), False)


def _week_start(text: str) -> int:
    if text not in DAYS:
        raise ValueError(f"WKST={text} is no day: write MO, TU, WE, TH, FR, SA or SU")
    return int(DAYS[text].weekday)
