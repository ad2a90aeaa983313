# SPDX-License-Identifier: Apache-2.0
"""`--values`: datasets of the chart's values are judged with file and line, and known to the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from cairn.cli.declared import declared
from cairn.cli.loader import LoadError
from cairn.cli.main import main

TREE = Path(__file__).resolve().parents[3]
EXAMPLE = TREE / "examples" / "helm" / "datasets.yaml"
PUSH = """apiVersion: cairn.dev/v1alpha1
kind: PushSubscription
metadata: {name: orders, namespace: seller-2088}
spec: {databaseRef: {name: shop-db}, databaseName: shop, shops: ["55501"], datasets: [trades, payments]}
"""


def test_declared_in_the_charts_own_values_are_those_that_ship() -> None:
    assert set(declared(TREE / "charts" / "cairn" / "values.yaml")) == set(declared(None))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param("table: jdp_tb_payment\n", "table: orders\n", "datasets[2].table: String should", id="pattern"),
        pytest.param("key: payment_id", "key: status", "datasets[2].key: 'status' is a varchar(64)", id="rule"),
        pytest.param("name: payments", "name: refunds", "datasets[2].name: refunds ships with Cairn", id="clash"),
        pytest.param("key: payment_id", "kei: payment_id", "datasets[2].key: Field required", id="missing"),
    ],
)
def test_declared_tells_file_line_and_field_of_what_is_wrong(
    tmp_path: Path, before: str, after: str, told: str
) -> None:
    text, file = EXAMPLE.read_text(), tmp_path / "values.yaml"
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))
    with pytest.raises(LoadError) as refused:
        declared(file)
    assert refused.value.message.startswith(told)
    begins = text.splitlines().index("- name: payments") + 1
    assert begins <= refused.value.line <= begins + 5


def test_check_knows_declared_datasets_and_judges_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push, values = tmp_path / "push.yaml", tmp_path / "values.yaml"
    push.write_text(PUSH)
    assert main(["check", str(push)]) == 1
    assert "payments is unknown" in capsys.readouterr().out
    assert main(["check", str(push), "--values", str(EXAMPLE)]) == 0
    values.write_text("datasets: [{name: payments}]\n")
    assert main(["check", "--values", str(values)]) == 1
    assert f"{values}:1: datasets[0].table: Field required" in capsys.readouterr().out
    assert main(["check", "--values", str(EXAMPLE)]) == 0
    assert main(["check", "--values", str(tmp_path / "none.yaml")]) == 2


def test_render_takes_datasets_of_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push = tmp_path / "push.yaml"
    push.write_text(PUSH)
    main(["render", str(push)])
    assert "payments is unknown" in capsys.readouterr().err
    main(["render", str(push), "--config", str(EXAMPLE)])
    assert "payments is unknown" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["gateway", "operator"])
def test_programs_do_not_start_with_a_wrong_descriptor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(EXAMPLE.read_text().replace("name: payments", "name: trades"))
    gateway = ["--bus-url=nats://127.0.0.1:1", "--creds-file=c", "--key-file=k", "--datasets-file", str(file)]
    assert main([command, *(gateway if command == "gateway" else ["--config", str(file)])]) == 2
    assert "datasets[2].name: trades ships with Cairn" in capsys.readouterr().err
