# SPDX-License-Identifier: Apache-2.0
"""Datasets that a platform declares, out of the chart's values, the platform's settings or the gateway's file."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cairn.api.dataset import Dataset
from cairn.cli.loader import Document, LoadError, parse
from cairn.datasets import known

_FIELD = re.compile(r"([a-z.]+): |datasets\[(\d+)\]\.([a-z]+): ")


def add_values(parser: argparse.ArgumentParser) -> None:
    help_text = "the chart's values or the platform's settings: datasets declared there are judged, and known"
    parser.add_argument("--values", type=Path, metavar="FILE", help=help_text)


class _Declared(BaseModel):
    datasets: tuple[Dataset, ...] = ()


def declared(file: Path | None) -> Mapping[str, Dataset]:
    """Every known dataset, with those of the file. OSError; LoadError with the line and the field that is wrong."""
    if file is None:
        return known(())
    try:
        documents = parse(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError as error:
        raise LoadError(str(file), 1, f"not UTF-8: {error}") from None
    if not documents:
        return known(())
    document = documents[0]
    try:
        return known(_Declared.model_validate(document.obj).datasets)
    except ValidationError as error:
        first = error.errors()[0]
        raise _wrong(document, first["loc"], first["msg"].removeprefix("Value error, ")) from None
    except ValueError as error:
        found = _FIELD.match(str(error))
        path: tuple[str | int, ...] = ("datasets", int(found[2]), found[3]) if found and found[2] else ()
        raise LoadError(str(file), document.line(path), str(error)) from None


def _wrong(document: Document, path: tuple[Any, ...], message: str) -> LoadError:
    """A rule between fields tells the field first: it then belongs to the path."""
    if (found := _FIELD.match(message)) and found[1] and len(path) == 2:
        path, message = (*path, *found[1].split(".")), message[found.end() :]
    field = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    return LoadError(document.file, document.line(path), f"{field}: {message}")
