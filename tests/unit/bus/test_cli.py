# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from pathlib import Path

import pytest

from cairn.bus.credentials import Creds
from cairn.bus.nkeys import KeyPair, KeyType
from cairn.cli.main import main


def test_bus_init_writes_files_for_nobody_else_and_never_over_keys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bus"
    assert main(["bus", "init", "--out", str(out)]) == 0
    names = {"nats.conf", "auth.conf", "account.seed", "admin.creds", "system.creds", "user.creds", "hmac.key"}
    assert {path.name for path in out.iterdir()} == names
    assert out.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}
    assert "sync_interval: always" in (out / "nats.conf").read_text()
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main(["bus", "init", "--out", str(out)]) == 1
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    captured = capsys.readouterr()
    assert "not overwritten" in captured.err
    assert "SU" not in captured.out


def test_bus_init_prints_secrets_that_belong_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bus", "init", "--namespace", "cairn-system"]) == 0
    documents = [json.loads(text) for text in capsys.readouterr().out.split("---\n") if text]
    secrets = {document["metadata"]["name"]: document["stringData"] for document in documents}
    assert {name: set(data) for name, data in secrets.items()} == {
        "cairn-bus": {"auth.conf"},
        "cairn-bus-account": {"account.seed", "admin.creds", "system.creds"},
        "cairn-gateway": {"user.creds", "hmac.key"},
    }
    assert {document["metadata"]["namespace"] for document in documents} == {"cairn-system"}
    account = KeyPair.from_seed(secrets["cairn-bus-account"]["account.seed"])
    assert account.kind is KeyType.ACCOUNT
    assert account.public in secrets["cairn-bus"]["auth.conf"]
    assert Creds.parse(secrets["cairn-gateway"]["user.creds"]).claims()["iss"] == account.public
    assert account.seed not in secrets["cairn-bus"]["auth.conf"]
