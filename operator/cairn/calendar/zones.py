# SPDX-License-Identifier: Apache-2.0
"""IANA time zones from the tzdata package alone: every machine that runs this release computes the same moments,
whatever zone files its image or its host has."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo


@cache
def names() -> frozenset[str]:
    """Every zone there is."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@cache
def zone(name: str) -> ZoneInfo | None:
    """The zone of that name; None for one that doesn't exist."""
    if name not in names():
        return None
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key=name)


def zone_problem(field: str, name: str) -> str:
    """What is wrong with a zone that somebody wrote, or nothing."""
    if name in names():
        return ""
    lower = {known.lower(): known for known in names()}
    near = [lower[found] for found in get_close_matches(name.lower(), lower, n=2, cutoff=0.6)]
    hint = f"did you mean {' or '.join(near)}?" if near else "write one such as Asia/Shanghai or UTC"
    return f"{field}: there is no time zone {name}: {hint}"


def moment(local: datetime, where: ZoneInfo) -> datetime:
    """What a naive local time means, in UTC: one that the clocks skip is later by what they skip, and of one that
    comes twice it is the first."""
    return local.replace(tzinfo=where, fold=0).astimezone(UTC)
