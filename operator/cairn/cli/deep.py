# SPDX-License-Identifier: Apache-2.0
"""What no schema can tell of one object: days and zones that don't exist, rules and schedules that never come."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from cairn.api.promotion import Promotion
from cairn.api.resources import Obj
from cairn.api.schedule import Maintenance
from cairn.api.validate import Path
from cairn.calendar.cron import cron_problem
from cairn.calendar.maintenance import maintenance_problem
from cairn.calendar.windows import problem

_FIELD = re.compile(r"spec(?:\.\w+|\[[\w.-]+\])*")
_STEP = re.compile(r"\.(\w+)|\[([\w.-]+)\]")


def _windows(obj: Obj) -> str:
    return problem(Promotion.model_validate({**obj, "metadata": {"name": "any"}, "status": {}}))


def _maintenance(obj: Obj) -> str:
    found = obj["spec"].get("maintenance")
    return maintenance_problem(Maintenance.model_validate(found)) if found else ""


def _snapshots(obj: Obj) -> str:
    found = obj["spec"].get("snapshots")
    if not found:
        return ""
    zone = found.get("timeZone", "UTC")
    return cron_problem("spec.snapshots.schedule", found["schedule"], "spec.snapshots.timeZone", zone)


CHECKS: Mapping[str, tuple[Callable[[Obj], str], ...]] = {
    "Promotion": (_windows,),
    "SellerVM": (_maintenance, _snapshots),
    "SellerRDS": (_maintenance,),
}
"""By kind; each says what is wrong, beginning with the field, or nothing."""


def deep(obj: Obj) -> Iterator[tuple[Path, str]]:
    """Path and message of everything that is wrong with an object that fits its schema."""
    for check in CHECKS.get(obj["kind"], ()):
        if message := check(obj):
            yield _path(obj, message), message


def _path(obj: Obj, message: str) -> Path:
    """The field that a message begins with, such as spec.windows[main].start."""
    found = _FIELD.match(message)
    path: list[str | int] = ["spec"]
    here: object = obj["spec"]
    for name, key in _STEP.findall(found[0]) if found else ():
        if key and isinstance(here, list):
            path.append(next((n for n, entry in enumerate(here) if entry.get("name") == key), 0))
        else:
            path.append(name)
        try:
            here = here[path[-1]]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            break  # not written: its default is meant
    return tuple(path)
