# SPDX-License-Identifier: Apache-2.0
"""Who a certificate lets in, over real TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from cairn.datasets import shipped
from cairn.gateway.app import Gateway
from cairn.gateway.auth import Entrance, Keys
from cairn.gateway.tls import Files
from data.certificates import Authority
from unit.gateway.served import request, serving
from unit.gateway.told import GOOD, KEY, PATH, StubBus

OURS, OTHERS = Authority(), Authority()
UNSIGNED = (
    f"POST {PATH} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: {len(GOOD % 1)}\r\n\r\n".encode()
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path / "tls.crt", tmp_path / "tls.key", tmp_path / "ca.crt")
    renewed(files, "localhost")
    (tmp_path / "ca.crt").write_bytes(OURS.certificate)
    (tmp_path / "key").write_bytes(KEY)
    return files


def renewed(files: Files, name: str) -> None:
    certificate, key = OURS.issue(name)
    files.certificate.write_bytes(certificate)
    files.key.write_bytes(key)


def caller(tmp_path: Path, authority: Authority | None = None, name: str = "platform") -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=OURS.certificate.decode())
    if authority is not None:
        certificate, key = authority.issue(name)
        (tmp_path / "caller.pem").write_bytes(certificate + key)
        context.load_cert_chain(tmp_path / "caller.pem")
    return context


@pytest.mark.parametrize(
    ("authority", "name", "signs", "status"),
    [
        pytest.param(OURS, "platform", False, b"202", id="certificate"),
        pytest.param(OURS, "somebody", False, b"403", id="other-subject"),
        pytest.param(OURS, "somebody", True, b"202", id="other-subject-that-signs"),
        pytest.param(None, "", False, b"401", id="neither"),
        pytest.param(None, "", True, b"202", id="signature"),
    ],
)
async def test_a_listed_certificate_or_a_signature_lets_in(
    files: Files, tmp_path: Path, authority: Authority | None, name: str, signs: bool, status: bytes
) -> None:
    bus = StubBus()
    entrance = Entrance(Keys(tmp_path / "key"), frozenset({"CN=platform"}))
    async with serving(Gateway(bus, entrance, shipped()), files.context()) as served:
        raw = await served.connect(caller(tmp_path, authority, name))
        await raw.send(request(GOOD % 1, "Connection: close") if signs else UNSIGNED + GOOD % 1)
        assert (await raw.rest()).startswith(b"HTTP/1.1 " + status)
    assert len(bus.packs) == (status == b"202")


async def test_a_certificate_of_another_authority_gets_no_connection(files: Files, tmp_path: Path) -> None:
    bus = StubBus()
    async with serving(Gateway(bus, Entrance(), shipped()), files.context()) as served:
        try:
            raw = await served.connect(caller(tmp_path, OTHERS))
            await raw.send(UNSIGNED + GOOD % 1)
            assert await raw.rest() == b""
        except (ConnectionError, ssl.SSLError):
            pass
    assert bus.packs == []


async def test_without_keys_only_certificates_count(files: Files, tmp_path: Path) -> None:
    async with serving(Gateway(StubBus(), Entrance(), shipped()), files.context()) as served:
        raw = await served.connect(caller(tmp_path))
        await raw.send(request(GOOD % 1))
        assert (await raw.rest()).startswith(b"HTTP/1.1 401")
        raw = await served.connect(caller(tmp_path, OURS, "anybody"))
        await raw.send(UNSIGNED + GOOD % 1)
        assert (await raw.rest()).startswith(b"HTTP/1.1 202")


async def test_a_renewed_certificate_is_served_to_new_connections(files: Files, tmp_path: Path) -> None:
    context = files.context()
    keeping = asyncio.create_task(files.keep(context, every_seconds=0.02))
    async with serving(Gateway(StubBus(), Entrance(), shipped()), context) as served:

        async def serial() -> str:
            raw = await served.connect(caller(tmp_path))
            found: Callable[[], dict[str, str]] = raw.writer.get_extra_info("ssl_object").getpeercert
            raw.writer.close()
            return found()["serialNumber"]

        before = await serial()
        renewed(files, "localhost")
        async with asyncio.timeout(10):
            while await serial() == before:
                pass
    keeping.cancel()
