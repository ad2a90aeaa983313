# SPDX-License-Identifier: Apache-2.0
"""What commands share that read manifests: their arguments, and objects that are right by themselves."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from cairn.api.platform import Platform
from cairn.api.resources import Obj
from cairn.cli.check import check, is_ours
from cairn.cli.loader import Document, read
from cairn.cli.world import known
from cairn.datasets import known as known_datasets

ENVIRONMENT = "CAIRN_KUBECONFIG"


def add_files(parser: argparse.ArgumentParser, nargs: Literal["+", "*"] = "+") -> None:
    """Arguments of commands that read manifests."""
    parser.add_argument("files", nargs=nargs, metavar="FILE", help="YAML or JSON, a directory, or - for stdin")
    parser.add_argument("--config", type=Path, metavar="FILE", help="platform settings; by default the defaults")


def add_cluster(parser: argparse.ArgumentParser, why: str = "") -> None:
    """Arguments that name a cluster. Another kubeconfig than a named one is never read."""
    default = f"by default ${ENVIRONMENT}"
    help_ = f"{why}; {default}" if why else default
    parser.add_argument("--kubeconfig", default=os.environ.get(ENVIRONMENT), help=help_)
    parser.add_argument("--context", help="context in that file; its current one by default")


def moment(text: str) -> datetime:
    """A point in time; UTC where no offset is given."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text} is no time: write 2026-11-11T20:00:00+08:00 or 2026-11-11"
        raise argparse.ArgumentTypeError(message) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def load(command: str, args: argparse.Namespace) -> tuple[list[Obj], Platform] | int:
    """Objects and settings, or the exit code after saying what is wrong with them."""
    try:
        documents, broken = read(args.files)
        platform = Platform.load(args.config) if args.config else Platform()
        datasets = known_datasets(platform.datasets)
    except (OSError, ValueError) as error:
        print(f"cairn {command}: {error}", file=sys.stderr)
        return 2
    wrong = [str(error) for error in broken] + (_errors(documents, datasets) or _nameless(documents))
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else (known(document.obj for document in documents), platform)


def _errors(documents: Sequence[Document], datasets: Collection[str]) -> list[str]:
    return [str(remark) for remark in check(filter(is_ours, documents), datasets=datasets) if remark.level == "error"]


def _nameless(documents: Sequence[Document]) -> list[str]:
    """Objects without a name, of other kinds too: `check` judges ours alone, and takes generateName."""
    found = []
    for document in documents:
        obj = document.obj
        meta = obj.get("metadata")
        if not known([obj]):
            continue
        if not isinstance(meta, dict) or not all(isinstance(meta.get(key, ""), str) for key in ("name", "namespace")):
            found.append(f"{document.file}:{document.line(('metadata',))}: metadata is missing or malformed")
        elif not meta.get("name"):
            line = document.line(("metadata",))
            found.append(f"{document.file}:{line}: metadata.name is missing: without one nothing can refer to it")
    return found
