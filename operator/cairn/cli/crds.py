# SPDX-License-Identifier: Apache-2.0
"""`cairn crds`: writes what is generated from the models: crds/*.yaml, and the schema of the seller chart's values."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cairn.api.crd import files
from cairn.api.values_schema import values_schema


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dir", type=Path, help="write one file for each kind there; by default all go to stdout")
    parser.add_argument("--values-schema", type=Path, metavar="FILE", help="write the schema of seller-cloud's values")


def run(args: argparse.Namespace) -> int:
    if args.values_schema is not None:
        schema = json.dumps(values_schema(), indent=2, ensure_ascii=False)
        args.values_schema.write_text(schema + "\n", encoding="utf-8")
    if args.dir is not None:
        args.dir.mkdir(parents=True, exist_ok=True)
        for name, text in files().items():
            (args.dir / name).write_text(text, encoding="utf-8")
    elif args.values_schema is None:
        print("---\n".join(files().values()), end="")
    return 0
