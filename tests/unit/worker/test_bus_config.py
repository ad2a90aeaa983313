# SPDX-License-Identifier: Apache-2.0
"""Which bus a worker and a gateway are told of, and what goes with it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from cairn.cli.main import main
from cairn.worker.config import BusConfig

TOPIC = {"name": "PUSH.2088", "id": "an-id", "epoch": 1_700_000_000}
KAFKA = {"url": "kafka://a:9092,b:9092", "stream": "PUSH", "consumer": "me", "topic": TOPIC}
NATS = {"url": "nats://a:4222", "stream": "PUSH", "consumer": "me", "credsFile": "user.creds"}


@pytest.mark.parametrize("told", [KAFKA, NATS])
def test_each_bus_has_what_it_needs(told: dict[str, Any]) -> None:
    assert BusConfig.model_validate(told).url == told["url"]


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({**KAFKA, "topic": None}, "topic"),
        ({**KAFKA, "topic": TOPIC | {"epoch": 0}}, "epoch"),
        ({**KAFKA, "topic": TOPIC | {"name": "OTHER.2088"}}, "OTHER.2088 is not of the stream PUSH"),
        ({**KAFKA, "credsFile": "user.creds"}, "credsFile"),
        ({**NATS, "topic": TOPIC}, "topic"),
        ({**NATS, "credsFile": None}, "credsFile"),
    ],
)
def test_what_does_not_go_with_the_bus_is_refused(told: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        BusConfig.model_validate(told)


@pytest.mark.parametrize("options", [["--bus-url=kafka://a:9092", "--creds-file=c"], ["--bus-url=nats://a:4222"]])
def test_gateway_refuses_what_does_not_go_with_the_bus(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gateway", *options, "--key-file=k"]) == 2
    assert "--creds-file" in capsys.readouterr().err


def test_missing_client_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(ValueError, match=r"pip install 'cairn\[kafka\]'"):
        BusConfig.model_validate(KAFKA)
    assert main(["gateway", "--bus-url=kafka://a:9092", "--key-file=k"]) == 2
    assert main(["bus", "topic", "--bus-url=kafka://a:9092", "--seller=2088"]) == 2
    assert capsys.readouterr().err.count("pip install 'cairn[kafka]'") == 2


def test_client_is_not_loaded_where_the_bus_is_another() -> None:
    code = "import sys, cairn.worker.run, cairn.cli.gateway, cairn.cli.bus; sys.exit('confluent_kafka' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
