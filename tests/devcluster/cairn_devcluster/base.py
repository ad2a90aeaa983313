# SPDX-License-Identifier: Apache-2.0
"""Where things are, how steps are shown, and what it means that something is missing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
TREE = HERE.parent.parent
SCRIPTS = TREE / "scripts"


class MissingError(Exception):
    """The machine lacks something; the message says what, why and the way on. The command line exits with 3."""


class StepError(Exception):
    """A step failed; the message carries the end of its log."""


def cache() -> Path:
    """The one directory that holds everything slow: binaries, images, and the state of clusters."""
    if named := os.environ.get("CAIRN_CACHE"):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "cairn"


def run_dir(name: str) -> Path:
    return cache() / "run" / name


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """One line per step with its time."""
    began = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"  {title}: failed after {time.monotonic() - began:.1f} s")
        raise
    say(f"  {title}: {time.monotonic() - began:.1f} s")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def tail(path: Path, lines: int = 15) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return f"(no {path})"


def call(
    command: Sequence[str | Path], *, log: Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Run a command with its output in a log, of which only the end is shown, and only on failure."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        done = subprocess.run(
            [str(p) for p in command], check=False, cwd=cwd, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
    if done.returncode:
        raise StepError(f"{command[0]} ended with {done.returncode}; {log}:\n{tail(log)}")


def wait_for(what: str, ready: Callable[[], bool], *, seconds: float, every: float = 0.1) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise StepError(f"{what}: not within {seconds:g} s")
        time.sleep(every)


def alive(pid: int) -> bool:
    """Whether a process runs. A zombie does not, unless threads of it are still ending and hold its files."""
    process = Path(f"/proc/{pid}")
    try:
        if (process / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
            return True
        return len(list((process / "task").iterdir())) > 1
    except OSError:
        return False
