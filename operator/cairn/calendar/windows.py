# SPDX-License-Identifier: Apache-2.0
"""The windows of a promotion as moments in UTC, and what is wrong with a promotion that makes no sense.

Everything is computed from the spec alone. What was worked out for a spec is kept, since many resources ask about the
same promotion at the same time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cairn.api.promotion import Promotion, PromotionSpec
from cairn.api.schedule import duration
from cairn.calendar.recurrence import FIRST_YEAR, LAST_YEAR, Recurrence
from cairn.calendar.zones import moment, zone, zone_problem

LONGEST = timedelta(days=366)
MOST_AT_A_TIME = 100
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """One window in UTC, half-open: it is on in [start, end), and who takes part is raised in
    [warm_up_from, cool_down_until)."""

    start: datetime
    end: datetime
    warm_up_from: datetime
    cool_down_until: datetime


def intervals(promotion: Promotion, since: datetime, until: datetime) -> tuple[Interval, ...]:
    """Those whose raised time touches [since, until), in order; none of a promotion that makes no sense."""
    return tuple(takewhile(lambda one: one.warm_up_from < until, ahead(promotion, since)))


def ahead(promotion: Promotion, now: datetime) -> Iterator[Interval]:
    """Those that are raised or to come, in order."""
    return _windows(promotion.spec).ahead(now)


def problem(promotion: Promotion) -> str:
    """Field, value and remedy of what makes no sense, or nothing. Suspended is no problem."""
    return _windows(promotion.spec).problem


class _Windows:
    """The windows of one spec."""

    def __init__(self, spec: PromotionSpec) -> None:
        self.problem = ""
        self._absolute: tuple[Interval, ...] = ()
        self._recurrence: Recurrence | None = None
        self._years: dict[int, tuple[datetime, ...]] = {}
        self._last: datetime | None = None
        try:
            self._read(spec)
        except _ProblemError as error:
            self.problem, self._absolute, self._recurrence = str(error), (), None

    def ahead(self, now: datetime) -> Iterator[Interval]:
        if self._recurrence is None:
            return (one for one in self._absolute if one.cool_down_until > now)
        held = self._length + self._cool_down
        return (self._interval(start, self._length) for start in self._starts(self._recurrence, now - held))

    def _read(self, spec: PromotionSpec) -> None:
        if wrong := zone_problem("spec.timeZone", spec.time_zone):
            raise _ProblemError(wrong)
        self._zone = zone(spec.time_zone) or ZoneInfo("UTC")
        self._warm_up = _elapsed("spec.warmUp", spec.warm_up)
        self._cool_down = _elapsed("spec.coolDown", spec.cool_down)
        _elapsed("spec.preflight", spec.preflight)
        if bool(spec.windows) == bool(spec.recurrence):
            raise _ProblemError("spec needs exactly one of windows and recurrence: add one, or remove the other")
        found = []
        for window in spec.windows:
            field = f"spec.windows[{window.name}]"
            start = moment(_local(f"{field}.start", window.start), self._zone)
            found.append(self._interval(start, _elapsed(f"{field}.duration", window.duration)))
        self._absolute = tuple(sorted(found))
        if spec.recurrence:
            self._length = _elapsed("spec.recurrence.duration", spec.recurrence.duration)
            begin = _local("spec.recurrence.start", spec.recurrence.start)
            try:
                self._recurrence = Recurrence(spec.recurrence.rule, begin)
            except ValueError as error:
                raise _ProblemError(f"spec.recurrence.rule {spec.recurrence.rule}: {error}") from None
            self._check(self._recurrence, spec.recurrence.rule, moment(begin, self._zone))

    def _check(self, rule: Recurrence, text: str, begin: datetime) -> None:
        if rule.until is not None:
            self._last = rule.until if rule.until_is_utc else moment(rule.until, self._zone)
        times = tuple(islice(self._starts(rule, begin - _DAY), max(rule.count, MOST_AT_A_TIME + 1)))
        if not times:
            raise _ProblemError(
                f"spec.recurrence.rule {text}: never occurs from {begin:%Y-%m-%d} to {LAST_YEAR}: choose days that"
                " exist, and an UNTIL after the start"
            )
        if rule.count and len(times) >= rule.count:
            self._last = times[rule.count - 1]
            self._years.clear()
        if len(times) > MOST_AT_A_TIME and self._raised(times[0])[1] > self._raised(times[MOST_AT_A_TIME])[0]:
            raise _ProblemError(
                f"spec.recurrence.duration: more than {MOST_AT_A_TIME} windows overlap, warm-up and cool-down included:"
                " shorten duration, warmUp or coolDown, or let them come less often"
            )

    def _raised(self, start: datetime) -> tuple[datetime, datetime]:
        return start - self._warm_up, start + self._length + self._cool_down

    def _starts(self, rule: Recurrence, after: datetime) -> Iterator[datetime]:
        """Starts that lie after a moment, in order. A local year begins and ends up to a day off the UTC one."""
        for year in range(max((after - _DAY).year, rule.first_year), LAST_YEAR + 1):
            if self._last and year > self._last.year + 1:
                return
            times = self._year(rule, year)
            yield from times[bisect_right(times, after) :]

    def _year(self, rule: Recurrence, year: int) -> tuple[datetime, ...]:
        times = self._years.get(year)
        if times is None:
            found = {moment(when, self._zone) for when in rule.year(year)}
            times = tuple(sorted(when for when in found if self._last is None or when <= self._last))
            self._years[year] = times
        return times

    def _interval(self, start: datetime, length: timedelta) -> Interval:
        end = start + length
        return Interval(start, end, start - self._warm_up, end + self._cool_down)


_windows = lru_cache(maxsize=1024)(_Windows)
forget = _windows.cache_clear
"""Work everything out anew: it makes no difference but in time."""


class _ProblemError(Exception):
    """Field, value and remedy."""


def _local(field: str, text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise _ProblemError(
            f"{field} {text}: there is no such date: choose one that exists, such as 2026-11-10T20:00:00"
        )
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise _ProblemError(f"{field} {text}: choose a year from {FIRST_YEAR} to {LAST_YEAR}")
    return found


def _elapsed(field: str, text: str) -> timedelta:
    try:
        found = duration(text)
    except ValueError as error:
        raise _ProblemError(f"{field}: {error}") from None
    if found > LONGEST:
        raise _ProblemError(f"{field} {text} is longer than {LONGEST.days}d: shorten it")
    return found
