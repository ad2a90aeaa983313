# SPDX-License-Identifier: Apache-2.0
"""What the gateway answers a second, in front of a bus that syncs each message: `python benchmarks/push/gateway.py`.

Requests of one record and of 300, over 1, 8 and 32 connections. --tree names another checkout to compare with: its
gateway is run, its bus and the sender are this one's.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import aiohttp

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / part) for part in ("operator", "tests", "tests/devcluster")]

from cairn.api.signing import signature  # noqa: E402
from data.bus import Bus  # noqa: E402
from data.plane import KEY, trade  # noqa: E402
from data.servers import free_port, scratch, until  # noqa: E402

PATH = "/v1/push/2088/55501/trades"
PADDING = {f"field_{number}": "x" * 20 for number in range(28)}
CASES = ((1, 1), (1, 8), (1, 32), (300, 8))
"""Records a request, connections."""


async def post(session: aiohttp.ClientSession, url: str, bodies: Iterator[bytes], took: list[float]) -> None:
    for body in bodies:
        stamp = str(int(time.time()))
        signed = signature(KEY.encode(), "POST", PATH, stamp, body)
        begun = time.perf_counter()
        headers = {"X-Cairn-Timestamp": stamp, "X-Cairn-Signature": signed}
        async with session.post(url + PATH, data=body, headers=headers) as response:
            if response.status != 202:
                raise RuntimeError(await response.text())
            await response.read()
        took.append(time.perf_counter() - begun)


async def case(url: str, records: int, connections: int, requests: int, keys: Iterator[int]) -> str:
    bodies = [
        b"\n".join(trade(next(keys), "2026-11-11 01:00:00", **PADDING) for _ in range(records)) for _ in range(requests)
    ]
    took: list[float] = []
    work = iter(bodies)
    begun = time.perf_counter()
    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(post(session, url, work, took))
    seconds = time.perf_counter() - begun
    p50, p99 = statistics.median(took) * 1000, statistics.quantiles(took, n=100)[98] * 1000
    rates = f"{requests / seconds:7,.0f} requests/s {requests * records / seconds:8,.0f} records/s"
    return f"{records:4} records x {connections:2} connections: {rates}  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms"


def used(pid: int) -> str:
    fields = Path(f"/proc/{pid}/stat").read_text().split()
    peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "HWM" in line)
    seconds = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return f"gateway: {seconds:.1f} s of CPU, at most {int(peak.split()[1]) // 1024} MiB"


async def measure(bus: Bus, home: Path, tree: Path, requests: int) -> None:
    await bus.prepare(max_bytes=2**32)
    (home / "creds").write_text(bus.made.gateway)
    (home / "key").write_text(KEY)
    port = free_port()
    files = [f"--creds-file={home / 'creds'}", f"--key-file={home / 'key'}"]
    command = [sys.executable, "-m", "cairn", "gateway", f"--bus-url={bus.url}", f"--listen=127.0.0.1:{port}", *files]
    environment = os.environ | {"PYTHONPATH": str(tree / "operator")}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
    url, keys = f"http://127.0.0.1:{port}", itertools.count(1)

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    try:
        until("the gateway is ready", ready)
        await case(url, 1, 8, 200, keys)
        for records, connections in CASES:
            print(await case(url, records, connections, max(requests // (1 if records == 1 else 20), 50), keys))
        print(used(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the gateway alone.")
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--tree", type=Path, default=TREE, help="checkout whose gateway is measured")
    args = parser.parse_args()
    homes = [scratch("bus"), scratch("gateway")]
    bus = Bus.prepared(homes[0])
    try:
        bus.server.start()
        asyncio.run(measure(bus, homes[1], args.tree, args.requests))
    finally:
        bus.server.kill()
        for home in homes:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
