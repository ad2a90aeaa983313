# SPDX-License-Identifier: Apache-2.0
"""`cairn gateway` as a process: HTTPS, a client certificate instead of a signature, limits, an end that is in order."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from cairn.cli.main import main
from cairn.client import Lane, Outbox, Sender
from data.bus import Bus
from data.certificates import Authority
from data.plane import TREE, trade
from data.servers import answers, free_port, scratch, until

OURS = Authority()
LINE = trade(1, "2026-11-11 00:00:00")


@pytest.fixture
def home() -> Iterator[Path]:
    home = scratch("gateway")
    certificate, key = OURS.issue("localhost")
    caller, caller_key = OURS.issue("platform")
    files = {"tls.crt": certificate, "tls.key": key, "ca.crt": OURS.certificate, "caller.pem": caller + caller_key}
    for name, content in files.items():
        (home / name).write_bytes(content)
    (home / "limits.yaml").write_text('{"recordsPerSecond": 0.1, "burst": 5, "sellers": {"2099": {}}}')
    yield home
    shutil.rmtree(home, ignore_errors=True)


async def test_platform_with_a_certificate_pushes_over_tls_within_its_limits(bus: Bus, home: Path) -> None:
    await bus.prepare()
    (home / "creds").write_text(bus.made.gateway)
    port = free_port()
    arguments = [f"--bus-url={bus.url}", f"--listen=127.0.0.1:{port}", f"--creds-file={home / 'creds'}"]
    arguments += [f"--tls-cert={home / 'tls.crt'}", f"--tls-key={home / 'tls.key'}", f"--client-ca={home / 'ca.crt'}"]
    arguments += ["--client-subject=CN=platform", f"--limits-file={home / 'limits.yaml'}", "--linger=0.2"]
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "cairn", "gateway", *arguments]
    process = subprocess.Popen(command, cwd=TREE / "operator")  # noqa: ASYNC220
    try:
        until("the gateway serves", lambda: answers(port))
        tls = ssl.create_default_context(cafile=home / "ca.crt")
        async with aiohttp.ClientSession(f"https://localhost:{port}") as session:
            while (await asked(session, "GET", "/readyz", tls))[0] != 200:
                pass
            status, said = await asked(session, "POST", "/v1/push/2088/55501/trades", tls, LINE)
            assert (status, json.loads(said)["error"]) == (401, "a client certificate is wanted")
        tls.load_cert_chain(home / "caller.pem")
        outbox = Outbox(home / "outbox")
        outbox.put(Lane("2099", "7", "trades"), [LINE] * 30)
        await Sender(f"https://localhost:{port}", outbox, tls=tls, batch_records=6).flush()
        assert (outbox.waiting(), outbox.parked()) == (0, [])
        outbox.close()
        async with aiohttp.ClientSession(f"https://localhost:{port}") as session:
            path, body = "/v1/push/2088/55501/trades", b"\n".join([LINE] * 6)
            statuses = [(await asked(session, "POST", path, tls, body))[0] for _ in range(2)]
        assert statuses == [202, 429]
        process.send_signal(signal.SIGTERM)
        until("the gateway ends", lambda: process.poll() is not None)
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


async def asked(
    session: aiohttp.ClientSession, method: str, path: str, tls: ssl.SSLContext, body: bytes = b""
) -> tuple[int, str]:
    async with session.request(method, path, data=body, ssl=tls) as response:
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), "--key-file or --client-ca"),
        (("--key-file=k", "--client-subject=CN=a"), "--client-subject needs --client-ca"),
        (("--key-file=k", "--tls-cert=c"), "--tls-cert and --tls-key"),
        (("--client-ca=c",), "--client-ca needs --tls-cert"),
        (("--key-file=k", "--listen=nowhere"), "--listen nowhere"),
        (("--key-file=k", "--limits-file=/none"), "/none"),
    ],
)
def test_flags_that_cannot_work_are_refused_by_name(
    flags: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gateway", "--bus-url=nats://127.0.0.1:1", "--creds-file=c", *flags]) == 2
    assert told in capsys.readouterr().err
