# SPDX-License-Identifier: Apache-2.0
"""Cron expressions of five fields on the clocks of a zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from cairn.calendar.zones import zone, zone_problem

_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def cron_problem(field: str, schedule: str, time_zone_field: str, time_zone: str) -> str:
    """Field, value and remedy of an expression that can't be read or never fires, or of an unknown zone; or nothing."""
    if wrong := zone_problem(time_zone_field, time_zone):
        return wrong
    try:
        fires = _simulated(schedule, _ANY_DAY)
    except ValueError as error:
        return f'{field} "{schedule}": {error}: write minute, hour, day, month and weekday, such as "0 3 * * *"'
    if next(fires, None) is None:
        return f'{field} "{schedule}" never fires: choose a day that exists, such as "0 3 * * *" for every night'
    return ""


def fires_after(schedule: str, time_zone: str, moment: datetime) -> Iterator[datetime]:
    """Moments in UTC at which it fires, after the given one; none where `cron_problem` has something to say."""
    where = zone(time_zone)
    if where is None:
        return
    try:
        fires = _simulated(schedule, moment.astimezone(where))
    except ValueError:
        return
    for found in fires:
        yield found.astimezone(UTC)


def _simulated(schedule: str, moment: datetime) -> CronSim:
    try:
        return CronSim(schedule, moment)
    except CronSimError as error:
        raise ValueError(str(error)[:1].lower() + str(error)[1:]) from error
