# SPDX-License-Identifier: Apache-2.0
"""A worker whose clock is wrong: `python -m faults.skewed OFFSET worker --config=FILE`, OFFSET as libfaketime's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


def environment(offset: str) -> dict[str, str]:
    return {"LD_PRELOAD": str(LIBRARY), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


if __name__ == "__main__":
    command = [sys.executable, "-m", "cairn", *sys.argv[2:]]
    os.execve(sys.executable, command, os.environ | environment(sys.argv[1]))
