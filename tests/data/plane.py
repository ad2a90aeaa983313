# SPDX-License-Identifier: Apache-2.0
"""The whole data plane as processes on loopback: gateway and workers against real servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cairn.api.signing import signature
from cairn.bus.admin import consumer_info
from cairn.bus.connection import BusError
from cairn.datasets import shipped
from cairn.sql.postgresql import Target
from data.bus import Bus
from data.servers import free_port, until

TREE = Path(__file__).resolve().parents[2]
KEY = "a-key-of-more-than-16-characters"
CONSUMER = "seller-2088--orders"
SHOPS = {"55501": "taobao001"}
SUBJECTS = ("push.2088.55501.refunds", "push.2088.55501.trades")


def trade(tid: int, modified: str, status: Any = "TRADE_FINISHED", **more: Any) -> bytes:
    """One order as the platform hands it out."""
    body = {
        "tid": tid,
        "status": status,
        "type": "fixed",
        "seller_nick": "taobao001",
        "buyer_nick": "buyer",
        "created": "2026-11-11 00:00:00",
        "modified": modified,
        "payment": "12.30",
        **more,
    }
    return json.dumps({"trade_fullinfo_get_response": {"trade": body}}, ensure_ascii=False).encode()


@dataclass
class Answer:
    """What the gateway said."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str]


def named(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Of whatever case their names were sent in."""
    return {name.title(): value for name, value in headers}


class Program:
    """A process of Cairn's, ended with the test run."""

    def __init__(self, name: str, arguments: list[str], home: Path, port: int) -> None:
        self.name, self.port, self._arguments = name, port, arguments
        self.entering: list[str] = []
        """How its command begins, where it is not to run as everything else does."""
        self.log = home / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        path = os.pathsep.join([str(TREE / "operator"), str(TREE / "tests")])
        command = ["setpriv", "--pdeathsig", "KILL", *self.entering, sys.executable, *self._arguments]
        with self.log.open("ab") as log:
            environment = os.environ | {"PYTHONPATH": path}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        until(f"{self.name} serves", lambda: self.get("/healthz") == 200)

    def get(self, path: str) -> int:
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended: {self.log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def metric(self, name: str, **labels: str) -> float:
        """Sum over all series of this name that have these labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=20) as response:
            lines = response.read().decode().splitlines()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        found = [line for line in lines if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found if all(want in line for want in wanted))

    def ready(self) -> None:
        until(f"{self.name} is ready", lambda: self.get("/readyz") == 200)

    def stop(self, how: int = signal.SIGTERM, seconds: float = 40) -> int:
        if self.process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        code = self.process.wait(seconds)
        self.process = None
        return code


@dataclass
class DataPlane:
    """Gateway and workers of the seller 2088 with the shop 55501, on a database of their own, and some bus."""

    database: Target
    push: Target
    home: Path
    engine: str = "postgresql"
    programs: list[Program] = field(default_factory=list)
    gateway: Program = field(init=False)

    def __post_init__(self) -> None:
        for name, text in (
            ("key", KEY),
            ("username", self.push.user),
            ("password", self.push.password),
            ("ca.crt", (self.push.ca or b"").decode()),
        ):
            (self.home / name).write_text(text)
        port = free_port()
        options = [f"--listen=127.0.0.1:{port}", f"--key-file={self.home / 'key'}", *self.gateway_options()]
        arguments = ["-m", "cairn", "gateway", *options]
        self.gateway = Program("gateway", arguments, self.home, port)
        self.programs.append(self.gateway)

    def gateway_options(self) -> list[str]:
        """Of the bus."""
        raise NotImplementedError

    def bus_config(self) -> dict[str, Any]:
        """The worker's."""
        raise NotImplementedError

    async def waiting(self) -> int:
        """Messages of the bus that are not acknowledged. BusError."""
        raise NotImplementedError

    def config(self, port: int) -> dict[str, Any]:
        return {
            "subscription": "seller-2088/orders",
            "bus": self.bus_config(),
            "database": {
                "engine": self.engine,
                "host": "localhost",
                "port": self.push.port,
                "database": self.push.database,
                "usernameFile": str(self.home / "username"),
                "passwordFile": str(self.home / "password"),
                "caFile": str(self.home / "ca.crt"),
            },
            "datasets": [dataset.model_dump(mode="json") for dataset in shipped().values()],
            "shops": SHOPS,
            "metricsPort": port,
        }

    def worker(
        self, entry: Iterable[str] = ("-m", "cairn", "worker"), shops: Mapping[str, str] | None = None
    ) -> Program:
        """A worker that is not started yet. `entry`: another program of tests than Cairn's own."""
        number, port = len(self.programs), free_port()
        file = self.home / f"worker{number}.json"
        file.write_text(json.dumps(self.config(port) | {"shops": dict(shops or SHOPS)}))
        program = Program(f"worker{number}", [*entry, f"--config={file}"], self.home, port)
        self.programs.append(program)
        return program

    def send(self, lines: Iterable[bytes], dataset: str = "trades", key: str = KEY, **headers: str) -> Answer:
        """One request."""
        path, body = f"/v1/push/2088/55501/{dataset}", b"\n".join(lines)
        stamp = headers.pop("stamp", str(int(time.time())))
        sent = {"X-Cairn-Timestamp": stamp, "X-Cairn-Signature": signature(key.encode(), "POST", path, stamp, body)}
        request = urllib.request.Request(f"http://127.0.0.1:{self.gateway.port}{path}", body, sent, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, json.load(response), named(response.headers.items()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, json.load(error), named(error.headers.items()))

    async def deliver(self, lines: Iterable[bytes]) -> None:
        """Send until accepted, as the platform does."""
        lines = list(lines)
        async with asyncio.timeout(60):
            while True:
                try:
                    answer = await asyncio.to_thread(self.send, lines)
                except OSError:
                    answer = None
                if answer is not None and answer.status == 202:
                    assert answer.body == {"accepted": len(lines), "rejected": []}
                    return
                await asyncio.sleep(0.2)

    async def drained(self, seconds: float = 30) -> None:
        """Every message of the bus is acknowledged."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(BusError):
                if await self.waiting() == 0:
                    return
            if time.monotonic() > deadline:
                logs = "\n".join(program.log.read_text()[-2000:] for program in self.programs)
                raise TimeoutError(f"not drained within {seconds:g} s\n{logs}")
            await asyncio.sleep(0.05)

    def close(self) -> None:
        for program in self.programs:
            program.stop(signal.SIGKILL)


@dataclass
class Plane(DataPlane):
    """On JetStream."""

    bus: Bus = field(kw_only=True)

    def gateway_options(self) -> list[str]:
        creds = self.home / "gateway.creds"
        creds.write_text(self.bus.made.gateway)
        return [f"--bus-url={self.bus.url}", f"--creds-file={creds}"]

    def bus_config(self) -> dict[str, Any]:
        creds = self.home / "worker.creds"
        if not creds.exists():
            creds.write_text(self.bus.worker_creds(CONSUMER))
        return {"url": self.bus.url, "stream": "PUSH", "consumer": CONSUMER, "credsFile": str(creds)}

    async def waiting(self) -> int:
        admin = await self.bus.connect("admin")
        try:
            facts = await consumer_info(admin, "PUSH", CONSUMER)
        finally:
            await admin.close()
        assert facts is not None
        return facts.pending + facts.unacknowledged
