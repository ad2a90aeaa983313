# SPDX-License-Identifier: Apache-2.0
"""`cairn grants` and what `cairn check` says of contracts, on the example."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cairn.cli.main import main

TENANT = Path(__file__).parents[3] / "examples" / "tenant"
FILES = sorted(str(file) for file in TENANT.glob("*.yaml"))
AT = ("--at", "2026-11-11")


def test_example_is_right_and_all_of_it_effective(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(TENANT)]) == 0
    assert "error" not in capsys.readouterr().out
    assert main(["grants", *AT, "-o", "json", *FILES]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["apps"]["erp-bolt"]["denied"] == ["mobile"]
    assert found["apps"]["crm-acme"]["pending"] == found["apps"]["erp-bolt"]["pending"] == []
    missing = {line["column"] for line in found["columns"] if line["granted"] and not line["effective"]}
    assert missing == set()


def test_grants_shows_requested_granted_and_effective_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grants", *AT, *FILES]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    until = "2027-05-31T00:00:00Z"
    assert ["erp-bolt", "trade-v3", "platform.trades", "mobile", "optional", "-", "-", "-"] in rows
    assert ["erp-bolt", "trade-v3", "platform.trades", "nick", "optional", "hmac", "hmac", until] in rows


def test_grants_after_their_end_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grants", "--at", "2027-06-01", *FILES]) == 1
    assert "not effective: grant bolt-fulfilment: it ended at 2027-05-31T00:00:00Z" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "before", "after", "line", "words"),
    [
        pytest.param("contracts-erp.yaml", "value: hmac", "value: md5", 35, "'md5' must be one of", id="mask"),
        pytest.param(
            "contracts-erp.yaml", "        physicalType: text", "        physicalType: uuid", 31, "uuid", id="type"
        ),
        pytest.param(
            "tenant.yaml", 'mask: bucket, bucket: "100"', "mask: partial", 34, "is no mask for it", id="grant"
        ),
        pytest.param(
            "app-crm.yaml", "mapping: {column: tid", "mapping: {column: nope", 27, "no column nope", id="publication"
        ),
    ],
)
def test_check_names_file_and_line_of_what_contracts_do_not_allow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], file: str, before: str, after: str, line: int, words: str
) -> None:
    for name in FILES:
        text = Path(name).read_text("utf-8")
        (tmp_path / Path(name).name).write_text(
            text.replace(before, after, 1) if name.endswith(file) else text, "utf-8"
        )
    assert main(["check", str(tmp_path)]) == 1
    found = [out for out in capsys.readouterr().out.splitlines() if out.startswith(f"{tmp_path / file}:{line}: ")]
    assert any(words in out for out in found), found


def test_check_judges_a_contract_in_a_file_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text("apiVersion: v3.0.0\nkind: DataContract\n", "utf-8")
    assert main(["check", str(file)]) == 1
    assert f"{file}:1: apiVersion: 'v3.0.0' is not read here" in capsys.readouterr().out


def test_check_takes_a_charts_templates_for_no_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    templates = tmp_path / "chart" / "templates"
    templates.mkdir(parents=True)
    (templates.parent / "Chart.yaml").write_text("name: x\n", "utf-8")
    (templates / "app.yaml").write_text("{{- if .Values.x }}\n", "utf-8")
    (tmp_path / "seller.yaml").write_text((TENANT / "platform.yaml").read_text("utf-8"), "utf-8")
    assert main(["check", str(tmp_path)]) == 0
    capsys.readouterr()


def test_grants_wants_files_or_a_cluster(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAIRN_KUBECONFIG", raising=False)
    assert main(["grants"]) == 2
    assert "--kubeconfig" in capsys.readouterr().err
