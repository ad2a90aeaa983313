# SPDX-License-Identifier: Apache-2.0
"""`cairn crds`: writes what is generated from the models: crds/*.yaml, and the schema of the seller chart's values."""

from __future__ import annotations

import argparse
from pathlib import Path

from cairn.api.crd import files


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", type=Path, help="write one file for each kind there; by default all go to stdout")


def run(args: argparse.Namespace) -> int:
    if args.dir is not None:
        args.dir.mkdir(parents=True, exist_ok=True)
        for name, text in files().items():
            (args.dir / name).write_text(text, encoding="utf-8")
    else:
        print("---\n".join(files().values()), end="")
    return 0
