# SPDX-License-Identifier: Apache-2.0
"""Two operator processes on one API server: one leads, the other takes over, and never do both write."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.engine.conftest import until
from devcluster import ControlPlane

REPOSITORY = Path(__file__).resolve().parents[3]
NAMESPACE = "cairn-system"


class Replica:
    """One `cairn operator` process."""

    def __init__(self, plane: ControlPlane, directory: Path, name: str) -> None:
        self.log = directory / f"{name}.log"
        config = directory / "platform.yaml"
        config.write_text(f"namespace: {NAMESPACE}\n")
        command = [sys.executable, "-m", "cairn", "operator", "--config", str(config), "--port", "0"]
        command += ["--kubeconfig", str(plane.kubeconfig), "--host", "127.0.0.1", "--resync", "5"]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "operator")}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)

    def leads(self) -> bool:
        return "leading as" in self.log.read_text()

    def health(self) -> tuple[int, str]:
        port = re.search(r"metrics on port (\d+)", self.log.read_text())
        assert port, self.log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port[1]}/healthz", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def end(self) -> int:
        self.process.kill()
        return self.process.wait(10)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("replicas"), name="replicas") as plane:
        plane.kubectl("create", "namespace", NAMESPACE)
        for crd in sorted((REPOSITORY / "crds").glob("*.yaml")):
            plane.kubectl("apply", "--server-side", "-f", str(crd))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane


@pytest.fixture
def replicas(plane: ControlPlane, tmp_path: Path) -> Iterator[list[Replica]]:
    started: list[Replica] = []
    plane.kubectl("delete", "lease", "-n", NAMESPACE, "--all")
    for name in ("first", "second"):
        started.append(Replica(plane, tmp_path, name))
    yield started
    for replica in started:
        replica.end()


async def one_leads(replicas: list[Replica]) -> tuple[Replica, Replica]:
    async def check() -> list[Replica]:
        assert all(r.process.poll() is None for r in replicas), [r.log.read_text() for r in replicas]
        return [r for r in replicas if r.leads()]

    (leader,) = await until("one leads", check, seconds=40)
    (standby,) = [r for r in replicas if r is not leader]
    return leader, standby


async def becomes_leader(standby: Replica, seconds: float) -> None:
    async def check() -> bool:
        return standby.leads()

    await until("the standby leads", check, seconds=seconds)


async def test_standby_takes_over_within_20_s_of_a_kill(replicas: list[Replica]) -> None:
    leader, standby = await one_leads(replicas)
    assert not standby.leads()
    leader.send(signal.SIGKILL)
    await becomes_leader(standby, seconds=20)


async def test_standby_takes_over_at_once_after_an_orderly_stop(replicas: list[Replica]) -> None:
    leader, standby = await one_leads(replicas)
    leader.send(signal.SIGTERM)
    assert await asyncio.to_thread(leader.process.wait, 30) == 0, leader.log.read_text()
    await becomes_leader(standby, seconds=8)


async def test_frozen_leader_that_wakes_up_ends(replicas: list[Replica]) -> None:
    leader, standby = await one_leads(replicas)
    leader.send(signal.SIGSTOP)
    await becomes_leader(standby, seconds=30)
    leader.send(signal.SIGCONT)
    assert await asyncio.to_thread(leader.process.wait, 20) == 1, "so that the kubelet starts it anew"
    assert "LeaseLostError" in leader.log.read_text()


async def test_healthz_lost_api_server_is_no_reason_to_restart(replicas: list[Replica], plane: ControlPlane) -> None:
    leader, _ = await one_leads(replicas)
    plane.pause_apiserver()
    try:
        for _ in range(5):
            await asyncio.sleep(0.2)
            assert leader.health() == (200, "ok\n")
    finally:
        plane.resume_apiserver()
