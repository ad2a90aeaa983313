# SPDX-License-Identifier: Apache-2.0
"""A rule: declared once, in CEL for the API server and in Python for `cairn check`.

A rule stands at the model whose object it judges (`Model.rules`). tests/objects/ holds for each one object that
passes and one that is refused, and both languages must agree on them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from cairn.api.quantity import compare, parse
from cairn.api.resources import Obj

Twin = Callable[[Obj, Obj], bool]
"""(new, old) -> whether it holds. Both with their defaults; old is {} for a rule that does not look at it."""
_EXACT = 2**50
"""Whole numbers up to here are exact in the API server's floats."""
Reason = Literal["FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired"]
"""Not FieldValueDuplicate: with that the API server keeps the message to itself."""

_RESERVED = re.compile(
    "(true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void"
    r"|while)\Z"
)
"""Names that CEL keeps for itself: Kubernetes writes a field of such a name as __name__."""


_PLACEHOLDER = re.compile(r"\{(value|old)\}")


@dataclass(frozen=True, slots=True)
class Value:
    """What a message shows: an expression for the API server and its twin."""

    cel: str
    twin: Callable[[Obj, Obj], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must hold, beyond types and patterns.

    name: unique among the rules of a kind; also the name of its objects in tests/objects
    field: the field it is about, from the judged object on, such as `storage.size`
    message: names field, value and remedy. {value} is the field's value now, {old} its value before
    value: what {value} shows instead, for a field that may be absent or a list
    """

    name: str
    field: str
    cel: str
    twin: Twin
    message: str
    reason: Reason = "FieldValueInvalid"
    value: Value | None = None

    @property
    def transition(self) -> bool:
        """Whether it compares with the object before; such a rule says nothing about a new object."""
        return "oldSelf" in self.cel

    def holds(self, new: Obj, old: Obj | None) -> bool:
        """Whether the rule has no objection. Both objects have their defaults; `old` is None for a new object."""
        return (self.transition and old is None) or self.twin(new, old or {})

    def explain(self, new: Obj, old: Obj | None) -> str:
        """The message with its values, as the API server prints it."""
        shown = {"value": self.value.twin(new, old or {}) if self.value else at(new, self.field)}
        shown["old"] = at(old or {}, self.field)
        return _PLACEHOLDER.sub(lambda found: _printed(shown[found[1]]), self.message)

    def validation(self) -> Obj:
        """As an entry of x-kubernetes-validations."""
        entry: Obj = {"rule": self.cel, "message": self._plain_message(), "reason": self.reason}
        entry["fieldPath"] = f".{self.field}"
        if "{" in self.message:
            entry["messageExpression"] = self._message_expression()
        return entry

    def _plain_message(self) -> str:
        """What is shown should the expression fail or the tool not evaluate it."""
        return self.message.replace(" from {old} to {value}", "").replace(" {value}", "").replace(" ({value})", "")

    def _message_expression(self) -> str:
        """By `format`, since the API server can't bound what a chain of + would cost."""
        shown = {"value": self.value.cel if self.value else select("self", self.field)}
        shown["old"] = select("oldSelf", self.field)
        asked = _PLACEHOLDER.findall(self.message)
        text = _PLACEHOLDER.sub("%s", self.message.replace("%", "%%")).replace("\\", "\\\\").replace("'", "\\'")
        return f"'{text}'.format([{', '.join(shown[name] for name in asked)}])"


def select(root: str, path: str) -> str:
    """CEL for a field by its path; names that CEL reserves are escaped as Kubernetes wants it."""
    return ".".join([root, *(f"__{key}__" if _RESERVED.match(key) else key for key in path.split("."))])


def at(obj: Any, path: str) -> Any:
    """The value at a path of an object, None where it ends early."""
    for key in path.split("."):
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def _printed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)


def immutable(field: str, remedy: str, *, name: str | None = None) -> Rule:
    """A required field that never changes."""
    return Rule(
        name=name or f"{field.replace('.', '-').lower()}-immutable",
        field=field,
        cel=f"{select('self', field)} == {select('oldSelf', field)}",
        twin=lambda new, old: at(new, field) == at(old, field),
        message=f"spec.{field} can't be changed from {{old}} to {{value}}: {remedy}",
        reason="FieldValueForbidden",
    )


def between(path: str, low: str, high: str) -> Rule:
    """A quantity, if it is there, within limits that no sound value leaves: catches a forgotten suffix.

    `path` is the full path from spec on; the rule stands at the object that holds its last key.
    """
    field = path.rsplit(".", 1)[-1]
    one = f"quantity(string(self.{field}))"

    def holds(new: Obj, _: Obj) -> bool:
        return field not in new or (compare(new[field], low) >= 0 and compare(new[field], high) <= 0)

    return Rule(
        name=f"{path.replace('.', '-')}-limits",
        field=field,
        cel=f"!has(self.{field}) || ({one}.compareTo(quantity('{low}')) >= 0"
        f" && {one}.compareTo(quantity('{high}')) <= 0)",
        twin=holds,
        message=f"spec.{path} {{value}} is not between {low} and {high}: check the suffix",
    )


def multiple(path: str, step: int = 1) -> tuple[str, Twin]:
    """CEL and twin: a quantity, if it is there, is a whole multiple of `step`. To `isInteger()` 2000m is none.

    Of what is beyond 2**50 the limits complain.
    """
    value = select("self", path)
    number = f"quantity(string({value})).asApproximateFloat()"
    cel = (
        f"!has({value}) || {number} > {float(_EXACT)}"
        f" || (double(int({number})) == {number} && int({number}) % {step} == 0)"
    )

    def holds(new: Obj, _: Obj) -> bool:
        found = at(new, path)
        return found is None or parse(found) > _EXACT or parse(found) % step == 0

    return cel, holds


def same_quantity(path: str) -> tuple[str, Twin]:
    """CEL and twin: two optional quantities are both absent, or equal as numbers."""
    now, before = select("self", path), select("oldSelf", path)
    cel = (
        f"has({now}) == has({before}) && (!has({now})"
        f" || quantity(string({now})).compareTo(quantity(string({before}))) == 0)"
    )

    def holds(new: Obj, old: Obj) -> bool:
        one, other = at(new, path), at(old, path)
        if one is None or other is None:
            return one is other
        return compare(one, other) == 0

    return cel, holds


def names(entries: Any) -> set[str]:
    """Names of the entries of a list."""
    return {entry["name"] for entry in entries or ()}
