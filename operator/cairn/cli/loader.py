# SPDX-License-Identifier: Apache-2.0
"""Reads manifests as kubectl does, and remembers the line of every field.

kubectl's YAML is Go's yaml.v2: timestamps and sexagesimal numbers are strings, `on` and `y` are booleans, 1e3 and 1.0
are integers. Python's YAML reads several of these otherwise, so scalars are resolved here. Keys given twice are
refused: the server would silently take one of them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from math import isinf
from pathlib import Path
from typing import Any, cast

import yaml

from cairn.api.resources import Obj
from cairn.api.validate import Path as ObjPath

SUFFIXES = (".yaml", ".yml", ".json")
MOST_REPEATED = 10_000
"""Nodes that aliases may repeat in a document; beyond that it is refused: aliases of aliases grow without bound."""
MOST_DIGITS = 300
"""Longer numbers are read as floating-point ones; those that are too large even for that are text, as in Go."""

_WORDS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
for _value, _words in ((True, "y yes true on"), (False, "n no false off")):
    _WORDS |= {form: _value for word in _words.split() for form in (word, word.capitalize(), word.upper())}
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[1-9][0-9]*|0)\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SURROGATES = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


class _Loader(yaml.CSafeLoader):
    """Gives every unquoted scalar as text."""


_Loader.yaml_implicit_resolvers = {}


class LoadError(Exception):
    """Text that is no manifest. `line` counts from 1."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file, self.line, self.message = file, line, message


@dataclass(frozen=True)
class Document:
    """One object and where it stands. searched: its file was not named, but found in a directory"""

    obj: Obj
    file: str
    lines: dict[ObjPath, int] = field(repr=False)
    searched: bool = False

    def line(self, path: ObjPath = ()) -> int:
        """Line of a field, or of the nearest one around it that is there."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def read(paths: Iterable[str]) -> tuple[list[Document], list[LoadError]]:
    """All objects in files, directories (with all below, but charts) and `-` for stdin, Lists unpacked; and files that
    hold none.

    OSError and UnicodeDecodeError where a file can't be read.
    """
    documents: list[Document] = []
    broken: list[LoadError] = []
    for name, text, searched in _texts(paths):
        try:
            documents += [replace(document, searched=searched) for document in parse(text, name)]
        except LoadError as error:
            broken.append(error)
    return documents, broken


def _texts(paths: Iterable[str]) -> Iterator[tuple[str, str, bool]]:
    for path in paths:
        if path == "-":
            yield "<stdin>", sys.stdin.read(), False
        elif Path(path).is_dir():
            charts = {file.parent for file in Path(path).rglob("Chart.yaml")}  # templates are no manifests
            for file in sorted(Path(path).rglob("*")):
                if file.name == "kustomization.yaml" or not charts.isdisjoint(file.parents):
                    continue
                if file.suffix in SUFFIXES and file.is_file():
                    yield str(file), file.read_text(encoding="utf-8"), True
        else:
            yield path, Path(path).read_text(encoding="utf-8"), False


def parse(text: str, file: str = "<text>") -> list[Document]:
    """Objects in YAML or JSON text."""
    documents = []
    try:
        text = _plain_json(text)
        for node in yaml.compose_all(text, Loader=_Loader):
            if node.value != "":  # a document of comments only
                documents += _unpacked(_Reader(file, text.splitlines()).document(node), file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise LoadError(file, mark.line + 1 if mark else 1, f"no YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise LoadError(file, 1, f"no YAML: {error}") from None
    except RecursionError:
        raise LoadError(file, 1, "nested too deep: no manifest is") from None
    return documents


def _plain_json(text: str) -> str:
    """JSON in the part of it that YAML 1.1 reads too: without tabs and surrogate pairs."""
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        json.loads(text)
    except ValueError:
        return text
    return _SURROGATES.sub(lambda found: json.loads(f'"{found[0]}"'), text.replace("\t", " "))


def _unpacked(document: Document, file: str) -> list[Document]:
    """A List's items as documents of their own."""
    obj = document.obj
    if not isinstance(obj, dict):
        raise LoadError(file, document.line(), "no object: a manifest starts with apiVersion and kind")
    items = obj.get("items")
    if not str(obj.get("kind")).endswith("List") or not isinstance(items, list):
        return [document]
    found: list[Document] = []
    for index, item in enumerate(items):
        here: ObjPath = ("items", index)
        lines = {path[2:]: line for path, line in document.lines.items() if path[:2] == here}
        found += _unpacked(Document(item, file, lines), file)
    return found


class _Reader:
    """Turns one document's nodes into plain values."""

    def __init__(self, file: str, text: list[str]) -> None:
        self._file = file
        self._text = text
        self._lines: dict[ObjPath, int] = {}
        self._open: list[yaml.Node] = []
        self._seen: set[int] = set()
        self._repeated = 0

    def document(self, node: yaml.Node) -> Document:
        self._lines[()] = node.start_mark.line + 1
        return Document(self._value(node, ()), self._file, self._lines)

    def _error(self, node: yaml.Node, message: str) -> LoadError:
        return LoadError(self._file, node.start_mark.line + 1, message)

    def _value(self, node: yaml.Node, path: ObjPath) -> Any:
        self._repeated += id(node) in self._seen
        self._seen.add(id(node))
        if node in self._open or self._repeated > MOST_REPEATED:
            raise self._error(node, "an alias that contains itself, or too many of them")
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
            return self._scalar(cast("yaml.ScalarNode", node))
        finally:
            self._open.pop()

    def _item(self, node: yaml.Node, path: ObjPath) -> Any:
        self._lines[path] = node.start_mark.line + 1
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: ObjPath) -> Obj:
        found: Obj = {}
        merged: Obj = {}
        for key_node, value_node in node.value:
            if key_node.value == "<<" and not key_node.style:
                merged = self._merged(value_node, path) | merged
                continue
            key = self._key(key_node)
            if key in found:
                raise self._error(key_node, f"the key {key!r} is there twice: remove one")
            self._lines[(*path, key)] = key_node.start_mark.line + 1
            found[key] = self._value(value_node, (*path, key))
        return merged | found

    def _merged(self, node: yaml.Node, path: ObjPath) -> Obj:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        out: Obj = {}
        for part in parts:
            if not isinstance(part, yaml.MappingNode):
                raise self._error(part, "<< takes an object")
            out = self._value(part, path) | out
        return out

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a key must be a string")
        value = self._scalar(node)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        if node.tag != "tag:yaml.org,2002:str":
            raise self._error(node, f"the tag {node.tag} is not understood: write the value without it")
        return text if node.style or self._tagged(node) else resolved(text)

    def _tagged(self, node: yaml.Node) -> bool:
        """Whether it was written with !!str."""
        mark = node.start_mark
        return self._text[mark.line][mark.column : mark.column + 1] == "!"


def resolved(text: str) -> Any:
    """The value of an unquoted scalar, as Go's yaml.v2 reads it."""
    if text in _WORDS:
        return _WORDS[text]
    plain = text.replace("_", "")
    if text[0] in "0123456789+-" and len(plain) <= MOST_DIGITS and _INTEGER.match(plain):
        return _integer(plain)
    if text[0] in "0123456789+-." and _FLOAT.match(plain):
        number = float(plain)
        if isinf(number):
            return text
        return int(number) if number.is_integer() else number  # as JSON, kubectl's next step, prints it
    return text


def _integer(text: str) -> int:
    digits = text.lstrip("+-").lower()
    sign = -1 if text.startswith("-") else 1
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8)):
        if digits.startswith(prefix):
            return sign * int(digits[2:], base)
    return sign * int(digits, 8 if digits.startswith("0") else 10)
