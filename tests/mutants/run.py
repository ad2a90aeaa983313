# SPDX-License-Identifier: Apache-2.0
"""`make mutants`: every fault of the catalogue is built into a copy of the tree, and its test must go red.

Writes build/mutants/report.json. Exit 1: a mutant lives, or a test is red without one. Exit 2: the catalogue is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from mutants.catalogue import MUTANTS, Mutant

TREE = Path(__file__).resolve().parents[2]
REPORT = TREE / "build" / "mutants" / "report.json"
LEFT_OUT = shutil.ignore_patterns(".git", "build", "__pycache__", ".*_cache", ".hypothesis")
LONGEST_SECONDS = 60
FAILED = 1
"""pytest's exit code where tests ran and failed; anything higher says nothing of the code."""


class CatalogueError(Exception):
    """A text that is not where the catalogue says, or a test that can't run."""


def mutate(mutant: Mutant, tree: Path) -> dict[Path, str]:
    """Change the files of a tree; what they held before."""
    before: dict[Path, str] = {}
    for name, old, new in mutant.edits:
        file = tree / name
        text = file.read_text()
        before.setdefault(file, text)
        if text.count(old) != 1:
            raise CatalogueError(f"{mutant.name}: {name} holds {text.count(old)} times, not once: {old!r}")
        changed = text.replace(old, new)
        compile(changed, name, "exec")  # what can't be read at all would make any test red
        file.write_text(changed)
    return before


def run(tree: Path, tests: Sequence[str], seconds: float) -> tuple[int, str]:
    """pytest's exit code, and the end of what it says."""
    path = os.pathsep.join([str(tree / "operator"), str(tree / "tests")])
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=tree, env=os.environ | {"PYTHONPATH": path}, timeout=seconds, capture_output=True, check=False
    )
    said = done.stdout.decode(errors="replace")[-4000:]
    if done.returncode > FAILED:
        raise CatalogueError(f"{tests}: pytest exits with {done.returncode}\n{said}")
    return done.returncode, said


def killed(mutant: Mutant, tree: Path) -> bool:
    before = mutate(mutant, tree)
    try:
        return run(tree, [mutant.test], LONGEST_SECONDS)[0] == FAILED
    except subprocess.TimeoutExpired:
        raise CatalogueError(f"{mutant.name}: {mutant.test} took more than {LONGEST_SECONDS} s") from None
    finally:
        for file, text in before.items():
            file.write_text(text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build faults in, and see that tests notice.")
    parser.add_argument("--only", default="", help="mutants whose name holds this; no report is written")
    only = parser.parse_args().only
    chosen = [one for one in MUTANTS if only in one.name]
    alive: list[str] = []
    if not only:
        REPORT.unlink(missing_ok=True)  # what ends early must not leave an older run's word behind
    with tempfile.TemporaryDirectory(prefix="cairn-mutants-") as home:
        tree = Path(home) / "tree"
        shutil.copytree(TREE, tree, ignore=LEFT_OUT, symlinks=True)
        try:
            exit_code, said = run(tree, sorted({one.test for one in chosen}), 20 * LONGEST_SECONDS)
            if exit_code == FAILED:
                print(f"a test of the catalogue is red without any mutant\n{said}", file=sys.stderr)
                return 1
            for mutant in chosen:
                begun = time.monotonic()
                dead = killed(mutant, tree)
                word = "killed" if dead else "ALIVE"
                print(f"  {word} in {time.monotonic() - begun:.0f} s: {mutant.name}", file=sys.stderr, flush=True)
                alive += [] if dead else [mutant.name]
        except CatalogueError as error:
            print(error, file=sys.stderr)
            return 2
    report = {"mutants": len(chosen), "killed": len(chosen) - len(alive), "alive": alive}
    if not only:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report))
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
