# SPDX-License-Identifier: Apache-2.0
"""A worker as a process of a member's: how it ends."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cairn.datasets import shipped
from cairn.pool.child import Child

OPERATOR = Path(__file__).resolve().parents[3] / "operator"

FILES = {name: base64.b64encode(b"any").decode() for name in ("user.creds", "username", "password")}
CONFIG: dict[str, Any] = {
    "subscription": "seller-2088/orders",
    "bus": {"url": "nats://127.0.0.1:1", "stream": "PUSH", "consumer": "orders", "credsFile": "./user.creds"},
    "database": {
        "engine": "postgresql",
        "host": "127.0.0.1",
        "port": 1,
        "database": "shop",
        "usernameFile": "./username",
        "passwordFile": "./password",
    },
    "datasets": [],
    "shops": {},
}


async def started(base: Path) -> Child:
    child = Child("seller-2088--orders", base)
    datasets = [one.model_dump(mode="json") for one in shipped().values()]
    config = json.dumps(CONFIG | {"datasets": datasets, "shops": {"55501": "taobao001"}})
    files = {**FILES, "worker.json": base64.b64encode(config.encode()).decode()}
    await child.start("1", files, 2**28)
    return child


async def test_child_whose_member_died_ends_without_finishing_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody renews its Lease any more: the next one must find it gone."""
    monkeypatch.setenv("PYTHONPATH", str(OPERATOR))
    child = await started(tmp_path)
    process = child._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == os.EX_UNAVAILABLE
