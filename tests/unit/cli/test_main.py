# SPDX-License-Identifier: Apache-2.0
"""The table of commands: every line stands for a module that does what the table promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cairn
from cairn.cli.main import COMMANDS, main

WITH_CAIRN = {**os.environ, "PYTHONPATH": str(Path(cairn.__file__).parents[1])}
HEAVY = ("kopf", "kubernetes", "asyncpg", "nats", "aiohttp", "cryptography")


@pytest.mark.parametrize("command", COMMANDS)
def test_main_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: cairn {command}")


def test_main_without_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_main_crds_writes_one_file_for_each_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crds", "--dir", str(tmp_path / "crds")]) == 0
    names = sorted(path.name for path in (tmp_path / "crds").iterdir())
    assert names == ["pushsubscriptions.yaml", "sellerrdses.yaml", "sellers.yaml", "serviceplans.yaml"]
    assert main(["crds"]) == 0
    assert capsys.readouterr().out.count("kind: CustomResourceDefinition\n") == 4


def test_main_check_imports_nothing_that_talks_to_anything() -> None:
    program = "import sys; from cairn.cli.main import main; main(['check', '-']); print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input="", text=True, capture_output=True, check=True, env=WITH_CAIRN)
    assert not set(HEAVY) & set(done.stdout.split())
