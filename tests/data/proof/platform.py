# SPDX-License-Identifier: Apache-2.0
"""`cairn platform-sim` as a process, and a worker that is held against it."""

from __future__ import annotations

import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cairn.api.signing import signature, source_key
from data.plane import KEY, SHOPS, Plane, Program, trade
from data.servers import free_port

PLATFORM_KEY = b"the-platform's-own-key"
SELLER_KEY = source_key(PLATFORM_KEY, "2088").encode()


def now() -> datetime:
    """The platform's wall clock."""
    return datetime.now(ZoneInfo("Asia/Shanghai")).replace(tzinfo=None, microsecond=0)


def hours_ago(hours: float, **more: Any) -> datetime:
    return now().replace(minute=0, second=0) - timedelta(hours=hours) + timedelta(**more)


def order(tid: int, modified: datetime, **more: Any) -> bytes:
    return trade(tid, str(modified), **more)


class Platform:
    """The simulator of the plane's seller. `take` gives it records of its own."""

    def __init__(self, plane: Plane) -> None:
        self.plane, self.port = plane, free_port()
        home = plane.home
        (home / "platform.key").write_bytes(PLATFORM_KEY)
        (home / "source.key").write_bytes(SELLER_KEY)
        (home / "gateway.key").write_text(KEY)
        self.arguments = [
            "-m", "cairn", "platform-sim", f"--listen=127.0.0.1:{self.port}", f"--database={home / 'platform.db'}",
            f"--key-file={home / 'platform.key'}", "--seller=2088", f"--gateway=http://127.0.0.1:{plane.gateway.port}",
            f"--gateway-key-file={home / 'gateway.key'}",
        ]  # fmt: skip
        self.program = Program("platform", self.arguments, home, self.port)
        plane.programs.append(self.program)

    def start(self) -> None:
        self.program.start()

    def play(self, orders: int, withhold: float, items: int = 0, stock: int = 0) -> None:
        """Double 11, with the share of pushes lost; items with the stock of each."""
        self.program.stop()
        more = [f"--orders={orders}", f"--withhold={withhold}", f"--items={items}", f"--stock={stock}"]
        to, ca = self.plane.push, self.plane.home / "ca.crt"
        login = f"{to.user}:{to.password}@localhost:{to.port}/{to.database}"
        (self.plane.home / "seller.url").write_text(f"postgresql://{login}?sslmode=verify-full&sslrootcert={ca}")
        more.append(f"--seller-database-file={self.plane.home / 'seller.url'}")
        self.program = Program("platform", [*self.arguments, *more], self.plane.home, self.port)
        self.plane.programs.append(self.program)
        self.start()

    def truth(self) -> dict[int, str]:
        """Payloads of the orders that it has, once it has nothing left to push; empty before."""
        with closing(sqlite3.connect(self.plane.home / "platform.db", timeout=10)) as db:
            if db.execute("SELECT count(*) FROM outbox").fetchone()[0]:
                return {}
            return {key: bytes(payload).decode() for key, payload in db.execute("SELECT key, payload FROM record")}

    def take(self, payloads: Iterable[bytes], *, push: bool = True, dataset: str = "trades") -> None:
        """Records come about there; without `push` as if their push had been lost."""
        self._ask("POST", f"/sim/2088/55501/{dataset}?push={'yes' if push else 'no'}", b"\n".join(payloads))

    def report(self) -> dict[str, int]:
        return dict(json.loads(self._ask("GET", "/sim/2088/55501/report", b"")))

    def authorize(self, *, granted: bool) -> None:
        self._ask("PUT", "/sim/2088/authorization", json.dumps({"granted": granted}).encode())

    def worker(self, **proof: Any) -> Program:
        """A worker that asks the platform; not started yet."""
        config = {
            "url": f"http://127.0.0.1:{self.port}",
            "seller": "2088",
            "keyFile": str(self.plane.home / "source.key"),
        }
        program = self.plane.worker()
        file = self.plane.home / f"{program.name}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"proof": config | proof, "shops": SHOPS}))
        return program

    def _ask(self, method: str, path: str, body: bytes) -> bytes:
        stamp = str(int(time.time()))
        signed = signature(SELLER_KEY, method, path, stamp, body)
        headers = {"X-Cairn-Timestamp": stamp, "X-Cairn-Signature": signed}
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method), timeout=20) as answer:
            assert answer.status == 200
            return bytes(answer.read())
