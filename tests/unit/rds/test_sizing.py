# SPDX-License-Identifier: Apache-2.0
"""When a running server may be asked to have less memory."""

from __future__ import annotations

import pytest

from cairn.api.resize import Step
from cairn.rds import config
from cairn.rds.sizing import Force, less_memory
from unit.rds import world

SMALL, LARGE = config.sized(512 << 20, 1 << 30, 50), config.sized(2 << 30, 1 << 30, 50)
STARTED_SMALL = LARGE | {"shared_buffers": SMALL["shared_buffers"]}


@pytest.mark.parametrize(
    ("facts", "step"),
    [
        pytest.param(SMALL, None, id="uses-less-already"),
        pytest.param(STARTED_SMALL, Step.WAIT, id="not-told-yet"),
        pytest.param(LARGE, Step.RESTART, id="reserved-when-it-started"),
        pytest.param({}, Step.WAIT, id="nobody-can-ask-it"),
    ],
)
def test_server_is_asked_for_memory_only_when_it_needs_less(facts: dict[str, str], step: Step | None) -> None:
    pod = world.pod("2", "2Gi")
    pod["metadata"]["annotations"] = {"cairn.dev/parameters": "max_connections=53 shared_buffers=128MB"}
    found = less_memory(Force("500m", "512Mi", "db.small", 50), SMALL, facts, pod)
    assert (found.step if found else None) is step


def test_server_of_which_nothing_is_known_is_restarted_for_less_memory() -> None:
    found = less_memory(Force("500m", "512Mi", "db.small", 50), SMALL, {}, world.pod("2", "2Gi"))
    assert found
    assert found.step is Step.RESTART


def test_growing_is_never_held_up() -> None:
    assert less_memory(Force("4", "4Gi", "x", 50), LARGE, LARGE, world.pod("2", "2Gi")) is None
