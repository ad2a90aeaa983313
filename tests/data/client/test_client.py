# SPDX-License-Identifier: Apache-2.0
"""An outbox, the real gateway and a real JetStream: whatever dies or is lost, each record arrives once."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from cairn.bus.connection import BusError, api
from cairn.bus.pack import Pack, decode
from cairn.bus.publish import publish
from cairn.client import Lane, Outbox
from cairn.datasets import shipped
from cairn.gateway.check import checker
from data.bus import Bus
from data.client.cutting import cutting
from data.plane import KEY, TREE, Program, trade
from data.servers import free_port, scratch

LANES = (Lane("2088", "55501", "trades"), Lane("2099", "7", "trades"))
WHEN = "2026-11-11 00:00:00"


@pytest.fixture
def home() -> Iterator[Path]:
    home = scratch("client")
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest_asyncio.fixture
async def gateway(bus: Bus, home: Path) -> AsyncIterator[Program]:
    await bus.prepare()
    (home / "creds").write_text(bus.made.gateway)
    (home / "key").write_text(KEY)
    port = free_port()
    files = [f"--creds-file={home / 'creds'}", f"--key-file={home / 'key'}"]
    arguments = ["-m", "cairn", "gateway", f"--bus-url={bus.url}", f"--listen=127.0.0.1:{port}", *files]
    program = Program("gateway", arguments, home, port)
    program.start()
    program.ready()
    yield program
    program.stop(9)


async def stored(bus: Bus) -> dict[Lane, list[bytes]]:
    """Every record of the stream, in its order, by lane."""
    client = await bus.connect("admin")
    found: dict[Lane, list[bytes]] = {lane: [] for lane in LANES}
    sequence = 1
    try:
        while True:
            answer = await api(client, "STREAM.MSG.GET.PUSH", {"seq": sequence, "next_by_subj": "push.>"})
            pack = decode(base64.b64decode(answer["message"]["data"]))
            found[Lane(*pack.subject.split(".")[1:])] += [record.payload for record in pack.records]
            sequence = answer["message"]["seq"] + 1
    except BusError as error:
        if error.args[1] != 10037:  # no message found
            raise
    finally:
        await client.close()
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_outbox_through_kills_and_lost_answers_arrives_whole_in_order_and_once(
    bus: Bus, gateway: Program, home: Path, seed: int
) -> None:
    lines = {lane: [trade(n, WHEN, f"S{n}", pad="x" * 300) for n in range(1, 1201)] for lane in LANES}
    outbox = Outbox(home / "outbox")
    for lane, records in lines.items():
        outbox.put(lane, records)
    kills = 0
    async with cutting(gateway.port, seed) as proxy, asyncio.timeout(120):
        while outbox.waiting():
            sending = started(proxy.port, home)
            try:
                until = max(0, outbox.waiting() - 350) if kills < 5 else 0
                while sending.poll() is None and outbox.waiting() > until:  # noqa: ASYNC110  of other processes
                    await asyncio.sleep(0.005)
                if until:
                    sending.kill()
                    kills += 1
                    if kills % 2:
                        gateway.stop(9)
                        await asyncio.to_thread(gateway.start)
                await asyncio.to_thread(sending.wait)
            finally:
                sending.kill()
                sending.wait()
    assert kills == 5
    assert min(proxy.cuts["answer"], proxy.cuts["request"]) > 0
    assert outbox.parked() == []
    outbox.close()
    assert await stored(bus) == lines


def started(port: int, home: Path) -> subprocess.Popen[bytes]:
    program = str(Path(__file__).with_name("sending.py"))
    command = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        sys.executable,
        program,
        f"http://127.0.0.1:{port}",
        str(home / "outbox"),
    ]
    return subprocess.Popen([*command, KEY], env=os.environ | {"PYTHONPATH": str(TREE / "operator")})


async def test_copy_of_a_named_request_is_stored_once_and_of_another_body_or_name_again(bus: Bus) -> None:
    await bus.prepare()
    client = await bus.connect("gateway")
    check = checker(shipped()["trades"])

    async def send(line: bytes, request: str) -> bool:
        return await publish(
            client, "PUSH", Pack("push.2088.55501.trades", time.time_ns() // 1000, check(line)[0]), request
        )

    one, two = trade(1, WHEN, "A"), trade(1, WHEN, "B")
    assert [await send(one, "r1"), await send(two, "r1"), await send(one, "r1"), await send(one, "r2")] == [
        False, False, True, False,
    ]  # fmt: skip
    await client.close()
    assert (await stored(bus))[LANES[0]] == [one, two, one]
