# SPDX-License-Identifier: Apache-2.0
"""kubectl against one named cluster; never the ambient kubeconfig."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import base, modules


def environment() -> dict[str, str]:
    """This process's environment without its kubeconfig."""
    return {k: v for k, v in os.environ.items() if k != "KUBECONFIG"}


def kubectl(kubeconfig: Path, *args: str, input: str | None = None, check: bool = True, timeout: float = 60) -> str:  # noqa: A002  as subprocess.run
    """Run kubectl and return what it prints; StepError with its message when it fails."""
    command: list[str | Path] = [modules.KUBEONE.directory() / "kubectl", "--kubeconfig", kubeconfig, *args]
    try:
        done = subprocess.run(
            command, check=False, input=input, text=True, capture_output=True, timeout=timeout, env=environment()
        )
    except subprocess.TimeoutExpired:
        raise base.StepError(f"kubectl {' '.join(args)}: no answer within {timeout:g} s") from None
    if check and done.returncode:
        raise base.StepError(f"kubectl {' '.join(args)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def audit_events(log: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of an audit log, parsed."""
    if log.exists():
        for line in log.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)
