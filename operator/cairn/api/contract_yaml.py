# SPDX-License-Identifier: Apache-2.0
"""YAML that somebody else wrote, read so that it can do nothing: bounded, without aliases and tags, and with lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

import yaml

MOST_BYTES = 256 * 1024
MOST_DEPTH = 16
MOST_NODES = 20_000
MOST_TEXT = 4_000
_NUMBER = re.compile(r"[0-9]{1,15}\Z")
_NULL = "tag:yaml.org,2002:null"
_T = TypeVar("_T", bound=str)


class ContractError(ValueError):
    """What is wrong with a contract, and where. line: from 1 on; field: such as schema[0].properties[2].name"""

    def __init__(self, line: int, field: str, problem: str) -> None:
        super().__init__(f"line {line}: {field}: {problem}" if field else f"line {line}: {problem}")
        self.line, self.field, self.problem = line, field, problem


@dataclass(frozen=True, slots=True)
class Node:
    """A mapping of the document, or a value of one, with the way to it."""

    node: yaml.Node
    path: str

    def error(self, problem: str) -> ContractError:
        return ContractError(self.node.start_mark.line + 1, self.path, problem)

    def has(self, key: str) -> bool:
        """Whether there is something: null is nothing."""
        found = self._value(key)
        return found is not None and found.tag != _NULL

    def at(self, key: str) -> Node:
        """The value of a key. ContractError where it is missing."""
        found = self._value(key)
        if found is None or found.tag == _NULL:
            raise ContractError(self.node.start_mark.line + 1, self._below(key), "is missing: add it")
        return Node(found, self._below(key))

    def is_null(self, key: str) -> bool:
        found = self._value(key)
        return found is not None and found.tag == _NULL

    def text(self, key: str, *, default: str | None = None) -> str:
        if default is not None and not self.has(key):
            return default
        found = self.at(key)
        if not isinstance(found.node, yaml.ScalarNode):
            raise found.error("must be a text")
        value: str = found.node.value
        if len(value) > MOST_TEXT or (not value and default is None):
            raise found.error(f"must have 1 to {MOST_TEXT} characters")
        return value

    def matching(self, key: str, pattern: re.Pattern[str], words: str, *, default: str | None = None) -> str:
        value = self.text(key, default=default)
        if not pattern.match(value):
            raise self.at(key).error(f"{value[:80]!r} must be {words}")
        return value

    def one_of(self, key: str, known: tuple[_T, ...]) -> _T:
        value = self.text(key)
        for one in known:
            if one == value:
                return one
        raise self.at(key).error(f"{value[:80]!r} must be one of {', '.join(known)}")

    def flag(self, key: str) -> bool:
        return self.has(key) and self.one_of(key, ("true", "false")) == "true"

    def number(self, key: str, *, default: int | None = None, at_least: int = 0) -> int:
        if default is not None and not self.has(key):
            return default
        value = self.text(key)
        if not _NUMBER.match(value) or int(value) < at_least:
            raise self.at(key).error(f"{value[:80]!r} must be a whole number from {at_least} on")
        return int(value)

    def items(self, key: str) -> tuple[Node, ...]:
        """The entries of a list of mappings."""
        found = self.at(key)
        if not isinstance(found.node, yaml.SequenceNode):
            raise found.error("must be a list")
        entries = tuple(Node(one, f"{found.path}[{index}]") for index, one in enumerate(found.node.value))
        for entry in entries:
            if not isinstance(entry.node, yaml.MappingNode):
                raise entry.error("must be a mapping")
        return entries

    def _value(self, key: str) -> yaml.Node | None:
        pairs = self.node.value if isinstance(self.node, yaml.MappingNode) else ()
        return next((value for name, value in pairs if name.value == key), None)

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key


def document(data: bytes) -> Node:
    """The one mapping that these bytes are. ContractError for anything else."""
    if len(data) > MOST_BYTES:
        raise ContractError(1, "", f"has {len(data)} bytes: at most {MOST_BYTES} are read")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ContractError(data[: error.start].count(b"\n") + 1, "", "is not UTF-8") from None
    try:
        _bounded(text)
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ContractError((mark.line if mark else 0) + 1, "", f"no YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ContractError(1, "", f"no YAML: {str(error)[:200]}") from None
    if not isinstance(root, yaml.MappingNode):
        raise ContractError(1, "", "must be a mapping that begins with apiVersion and kind")
    _unique(root)
    return Node(root, "")


def _bounded(text: str) -> None:
    """One document, not deep, not long, and without what could make it longer than it looks."""
    depth = nodes = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        line = (event.start_mark.line if event.start_mark else 0) + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ContractError(line, "", "aliases and anchors (* and &) are not read: write it out")
        if tag := getattr(event, "tag", None):
            raise ContractError(line, "", f"tags ({tag[:40]}) are not read: remove it")
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH or nodes > MOST_NODES:
            raise ContractError(line, "", f"deeper than {MOST_DEPTH} levels or more than {MOST_NODES} values")


def _unique(node: yaml.Node) -> None:
    """Every key is a text, and there once: which of two counts, readers disagree about."""
    if isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            _unique(entry)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            raise ContractError(line, "", "a key must be a text")
        if key.value in seen:
            raise ContractError(line, key.value[:80], "is there twice: remove one")
        seen.add(key.value)
        _unique(value)
