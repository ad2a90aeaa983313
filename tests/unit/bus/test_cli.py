# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cairn.bus.credentials import Creds, admin_permissions, gateway_permissions
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
    captured = capsys.readouterr()
    assert "keys of a new bus" in captured.err
    documents = [json.loads(text) for text in captured.out.split("---\n") if text]
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


def claims_of(creds: str) -> tuple[str, list[str], list[str]]:
    """Name, and the subjects that may be published and subscribed to."""
    claims = Creds.parse(creds).claims()
    return claims["name"], claims["nats"]["pub"]["allow"], claims["nats"]["sub"]["allow"]


def test_bus_users_mints_todays_rights_from_the_standing_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account, out = KeyPair.generate(KeyType.ACCOUNT), tmp_path / "users"
    seed = tmp_path / "account.seed"
    seed.write_text(f"{account.seed}\n")
    arguments = ["bus", "users", "--account-seed", str(seed), "--out", str(out)]
    assert main(arguments) == 0
    made = {path.name: path.read_text() for path in out.iterdir()}
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o600}
    admin, gateway = admin_permissions(), gateway_permissions()
    assert {name: claims_of(creds) for name, creds in made.items()} == {
        "admin.creds": ("admin", list(admin.publish), list(admin.subscribe)),
        "user.creds": ("gateway", list(gateway.publish), list(gateway.subscribe)),
    }
    assert {Creds.parse(creds).claims()["iss"] for creds in made.values()} == {account.public}
    assert main(arguments) == 1
    assert {path.name: path.read_text() for path in out.iterdir()} == made
    captured = capsys.readouterr()
    assert "cairn bus users" in captured.err
    assert "SU" not in captured.out


def test_bus_users_patches_one_key_of_each_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(KeyPair.generate(KeyType.ACCOUNT).seed))
    assert main(["bus", "users", "--account-seed", "-", "--namespace", "it's mine"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines if line.startswith("kubectl patch secret ")] == [
        "cairn-bus-account",
        "cairn-gateway",
    ]
    assert all("--namespace 'it'\"'\"'s mine' " in line for line in lines if line.startswith("kubectl"))
    patches = [json.loads(line) for line in lines if line.startswith("{")]
    assert [set(patch) for patch in patches] == [{"stringData"}] * 2
    assert [set(patch["stringData"]) for patch in patches] == [{"admin.creds"}, {"user.creds"}]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "checksum", id="empty"),
        pytest.param(KeyPair.generate(KeyType.USER).seed, "not the seed of an account", id="seed-of-a-user"),
        pytest.param(None, "No such file", id="no-file"),
    ],
)
def test_bus_users_without_an_accounts_seed_mints_nothing(
    text: str | None, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed, out = tmp_path / "account.seed", tmp_path / "users"
    if text is not None:
        seed.write_text(text)
    assert main(["bus", "users", "--account-seed", str(seed), "--out", str(out)]) == 1
    assert why in capsys.readouterr().err
    assert not out.exists()
