# SPDX-License-Identifier: Apache-2.0
"""The table of commands: every line stands for a module that does what the table promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cairn
from cairn.api.crd import CRDS
from cairn.cli.main import COMMANDS, main

WITH_CAIRN = {**os.environ, "PYTHONPATH": str(Path(cairn.__file__).parents[1])}
KUBECONFIG = """\
clusters: [{name: a, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {token: t}}]
current-context: a
"""
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
    assert names == sorted(f"{crd.resource.plural}.yaml" for crd in CRDS)
    assert main(["crds"]) == 0
    assert capsys.readouterr().out.count("kind: CustomResourceDefinition\n") == len(CRDS) == 9


def test_main_check_imports_nothing_that_talks_to_anything() -> None:
    program = "import sys; from cairn.cli.main import main; main(['check', '-']); print(*sys.modules)"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input="", text=True, capture_output=True, check=True, env=WITH_CAIRN)
    assert not set(HEAVY) & set(done.stdout.split())


@pytest.mark.parametrize("command", ["operator", "uninstall", "diff", "cost", "calendar", "stop"])
@pytest.mark.parametrize("content", [None, b"a: b\n", b"[\n", b"\x80", b"5\n"])
def test_main_without_a_usable_kubeconfig_names_it_and_reads_no_other(
    command: str,
    content: bytes | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ambient = tmp_path / "ambient"
    ambient.write_text(KUBECONFIG)
    monkeypatch.setenv("KUBECONFIG", str(ambient))
    monkeypatch.setenv("HOME", str(tmp_path))
    named, settings = tmp_path / "named", tmp_path / "settings"
    settings.write_text("")
    if content is not None:
        named.write_bytes(content)
    more = {"operator": ["--config", str(settings), "--port", "0"], "diff": [str(settings)], "calendar": ["--live"]}
    more["stop"] = ["web"]
    assert main([command, "--kubeconfig", str(named), *more.get(command, [])]) == 2
    assert capsys.readouterr().err.startswith(f"cairn {command}: ")


def test_main_operator_with_settings_that_can_not_be_read_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "settings"
    for content in (b"a: [\n", b"nope: 1\n", b"\x80"):
        settings.write_bytes(content)
        assert main(["operator", "--config", str(settings), "--kubeconfig", str(tmp_path / "none")]) == 2
        assert "--config" in capsys.readouterr().err
