# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from cairn.bus.admin import settings_problems, version_problems


@pytest.mark.parametrize("version", ["2.15.2", "2.16.0", "3.0.0", "2.15.3-RC.1"])
def test_version_problems_of_a_safe_server_are_none(version: str) -> None:
    assert version_problems(version) == ()


@pytest.mark.parametrize("version", ["2.15.1", "2.14.7", "1.99.99", ""])
def test_version_problems_of_an_old_server_name_the_one_to_use(version: str) -> None:
    assert "2.15.2" in version_problems(version)[0]


def test_settings_problems_of_a_lazily_synced_server_name_the_setting() -> None:
    def server(name: str, *, always: bool) -> dict[str, object]:
        return {"server": {"name": name, "ver": "2.15.2"}, "data": {"config": {"sync_always": always}}}

    problems = settings_problems([server("a", always=True), server("b", always=False)])
    assert problems == ("server b: set jetstream.sync_interval to always",)
    assert settings_problems([]) != ()
