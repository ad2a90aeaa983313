# SPDX-License-Identifier: Apache-2.0
"""Judges an object by its structural schema and its rules' Python twins, as the API server would with
`fieldValidation=Strict`: the same objects pass, with messages that name field, value and remedy.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any

from cairn.api.quantity import PATTERN as QUANTITY_PATTERN
from cairn.api.resources import Obj
from cairn.api.structural import Schema

Path = tuple[str | int, ...]
"""Where in an object: keys and list indexes."""

_PYTHON_TYPE: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
}
_META = frozenset(
    {
        *("name", "generateName", "namespace", "labels", "annotations", "finalizers", "ownerReferences", "uid"),
        *("resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
        *("managedFields", "selfLink"),
    }
)
_DURATION = "a number above 0 and one of s, m, h, d, such as 90m or 28h"
IN_WORDS = {
    QUANTITY_PATTERN: "a quantity of Kubernetes such as 500m, 4 or 20Gi, without B",
    r"^[1-9][0-9]{0,5}[smhd]$": _DURATION,
    r"^(0|0[smhd]|[1-9][0-9]{0,5}[smhd])$": f"0, or {_DURATION}",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$": "day and time as the clocks show it, such as"
    " 2026-11-10T20:00:00, without Z or offset",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": "a time of day of five characters, such as 03:00",
    r"^\S+ \S+ \S+ \S+ \S+$": 'minute, hour, day, month and weekday, such as "0 3 * * *"',
    r"^FREQ=(YEARLY|MONTHLY|WEEKLY|DAILY)(;[A-Z]+=[A-Z0-9,+-]+)*$": "a rule that begins with FREQ=YEARLY, MONTHLY,"
    " WEEKLY or DAILY, in capitals and without spaces",
    r"^docker://[^\s@]+@sha256:[0-9a-f]{64}$": "docker://registry/repository@sha256: and 64 hexadecimal digits; a tag"
    " is not enough",
    r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$": "sha256: and 64, or sha512: and 128 hexadecimal digits",
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?$": "a host name in lower case such as"
    " shop.example.com, without scheme, port, path or wildcard",
    r"^[0-9]{1,12}(\.[0-9]{1,4})?$": "a decimal number with a point, such as 10 or 10.50",
}
"""What a pattern asks for, where people would have to read it twice."""
_FEW, _SHOWN = 8, 80
_OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, where, and what to do about it."""

    path: Path
    message: str


def defaulted(schema: Schema, obj: Any) -> Any:
    """A copy with the schema's defaults, and without nulls, as the API server would store it."""
    if isinstance(obj, list):
        return [defaulted(schema.get("items", {}), item) for item in obj]
    if not isinstance(obj, dict):
        return obj
    properties = schema.get("properties", {})
    given = {key: value for key, value in obj.items() if value is not None}
    for key, node in properties.items():
        if "default" in node:
            given.setdefault(key, copy.deepcopy(node["default"]))
    return {key: defaulted(properties.get(key, {}), value) for key, value in given.items()}


def findings(schema: Schema, obj: Obj, old: Obj | None = None) -> list[Finding]:
    """What the API server would refuse in a new object, or in the change from `old` to it. Empty: nothing.

    Rules are asked only about an object whose types and patterns are right. A status in a manifest is ignored, as the
    server does.
    """
    if wrong := _shape(schema, obj):
        return wrong
    before = None if old is None or _shape(schema, old) else defaulted(schema, old)
    return list(_broken_rules(schema, _named(defaulted(schema, obj)), before, ()))


def _named(obj: Obj) -> Obj:
    """With a name as the server generates them: rules speak of it."""
    meta = obj["metadata"]
    return obj if meta.get("name") else {**obj, "metadata": {**meta, "name": f"{meta['generateName']}00000"}}


def _shape(schema: Schema, obj: Obj) -> list[Finding]:
    """What types and patterns say, without the rules."""
    body = {key: value for key, value in obj.items() if key not in ("metadata", "status")}
    return [*_metadata(obj.get("metadata")), *_node(schema, body, ())]


def _metadata(meta: Any) -> Iterator[Finding]:
    if not isinstance(meta, dict):
        yield Finding(("metadata",), "metadata is missing: give the object at least a metadata.name")
        return
    for key in ("namespace", "generateName"):
        if not isinstance(meta.get(key) or "", str):
            yield Finding(
                ("metadata", key), f"metadata.{key}: {_shown(meta[key])} must be a string: put it into quotes"
            )
    name = meta.get("name")
    if name is None and not meta.get("generateName"):
        yield Finding(("metadata",), "metadata.name is missing: give the object a name")
    elif name is not None and not (isinstance(name, str) and len(name) <= 253 and _OBJECT_NAME.match(name)):
        yield Finding(
            ("metadata", "name"),
            f"metadata.name {_shown(name)} is no name: use lower case letters, digits, dashes and dots,"
            " with a letter or digit at both ends",
        )
    yield from (_unknown(("metadata", key), _META) for key in meta if key not in _META)
    for field in ("labels", "annotations"):
        entries = meta.get(field) or {}
        if not isinstance(entries, dict):
            yield Finding(("metadata", field), f"metadata.{field} must map names to strings")
            continue
        for key, value in entries.items():
            if value is not None and not isinstance(value, str):
                text = f"metadata.{field}: {key} is {_shown(value)} and must be a string: put it into quotes"
                yield Finding(("metadata", field, key), text)


def _node(schema: Schema, value: Any, path: Path) -> Iterator[Finding]:
    if schema.get("x-kubernetes-int-or-string"):
        if isinstance(value, bool) or not isinstance(value, int | str):
            yield _wrong(schema, value, path, "must be a string or an integer: put it into quotes")
            return
    else:
        expected = schema["type"]
        if not isinstance(value, _PYTHON_TYPE[expected]) or (expected == "integer" and isinstance(value, bool)):
            yield _wrong(schema, value, path, f"must be of type {expected}{_retyped(schema, value)}")
            return
    if isinstance(value, dict):
        yield from _object(schema, value, path)
    elif isinstance(value, list):
        yield from _list(schema, value, path)
    elif isinstance(value, str):
        yield from _string(schema, value, path)
    elif isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        limits = f"at least {schema['minimum']}" if "minimum" in schema else ""
        if "maximum" in schema:
            limits += f"{' and ' if limits else ''}at most {schema['maximum']}"
        yield _wrong(schema, value, path, f"must be {limits}")


def _retyped(schema: Schema, value: Any) -> str:
    """How the value would be written, where that is certain."""
    if schema["type"] == "string" and isinstance(value, int | float):
        return ": put it into quotes"
    required = schema.get("required", ())
    if schema["type"] == "object" and isinstance(value, str) and len(required) == 1:
        return f": write {{{required[0]}: {value if len(value) <= _SHOWN else '…'}}}"
    return ""


def _object(schema: Schema, value: Obj, path: Path) -> Iterator[Finding]:
    properties = schema.get("properties")
    if properties is None:
        return
    for key in schema.get("required", ()):
        if value.get(key) is None:
            described = properties[key].get("description", "")
            yield Finding(path, f"{dotted((*path, key))} is missing: {described or 'add it'}")
    for key, item in value.items():
        if key not in properties:
            yield _unknown((*path, key), properties)
        elif item is not None:
            yield from _node(properties[key], item, (*path, key))


def _list(schema: Schema, value: list[Any], path: Path) -> Iterator[Finding]:
    if len(value) > schema.get("maxItems", len(value)):
        yield Finding(path, f"{dotted(path)} has {len(value)} entries: at most {schema['maxItems']} are possible")
    if len(value) < schema.get("minItems", 0):
        yield Finding(path, f"{dotted(path)} needs at least {schema['minItems']} entries")
    for index, item in enumerate(value):
        yield from _node(schema["items"], item, (*path, index))
    keys = schema.get("x-kubernetes-list-map-keys")
    seen: list[Any] = []
    for index, item in enumerate(value):
        mark = [item.get(key) for key in keys] if keys and isinstance(item, dict) else item
        if mark in seen:
            shown = ", ".join(map(_shown, mark)) if keys else _shown(item)
            yield Finding((*path, index), f"{dotted((*path, index))}: {shown} is there twice: remove one")
        seen.append(mark)


def _string(schema: Schema, value: str, path: Path) -> Iterator[Finding]:
    if "enum" in schema and value not in schema["enum"]:
        yield _wrong(schema, value, path, f"must be one of {', '.join(map(_shown, schema['enum']))}")
    said = IN_WORDS.get(schema.get("pattern", ""))
    if said and not re.search(_anchored(schema["pattern"]), value):
        yield _wrong(schema, value, path, f"must be {said}")
    elif len(value) > schema.get("maxLength", len(value)):
        yield _wrong(schema, value, path, f"has more than {schema['maxLength']} characters")
    elif len(value) < schema.get("minLength", 0):
        yield _wrong(schema, value, path, "must not be empty")
    elif "pattern" in schema and not re.search(_anchored(schema["pattern"]), value):
        yield _wrong(schema, value, path, f"must match {schema['pattern']}")
    if schema.get("format") in ("date", "date-time") and not _is_time(value, schema["format"]):
        yield _wrong(schema, value, path, f"must be a {schema['format']}")


def _anchored(pattern: str) -> str:
    """Python's $ also matches before a final newline; the API server's doesn't."""
    return pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern


def _is_time(value: str, form: str) -> bool:
    try:
        if form == "date":
            return re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII) is not None and bool(date.fromisoformat(value))
        return "T" in value and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _broken_rules(schema: Schema, new: Any, old: Any, path: Path) -> Iterator[Finding]:
    """Rules of this node and below. `old` is None where there was nothing."""
    for rule in schema.get("x-rules", ()):
        if not rule.holds(new, old):
            yield Finding((*path, *rule.field.split(".")), rule.explain(new, old))
    if isinstance(new, dict):
        for key, node in schema.get("properties", {}).items():
            if key in new:
                yield from _broken_rules(node, new[key], (old or {}).get(key), (*path, key))
    elif isinstance(new, list):
        keys = schema.get("x-kubernetes-list-map-keys", ())
        before = {tuple(item[key] for key in keys): item for item in old or ()} if keys else {}
        for index, item in enumerate(new):
            partner = before.get(tuple(item[key] for key in keys)) if keys else None
            yield from _broken_rules(schema["items"], item, partner, (*path, index))


def _unknown(path: Path, known: Any) -> Finding:
    near = get_close_matches(str(path[-1]), list(known), n=1, cutoff=0.6)
    there = f"; there are {', '.join(known)}" if 0 < len(known) <= _FEW else ""
    hint = f", did you mean {near[0]}?" if near else f": remove it{there}"
    return Finding(path, f"{dotted(path)}: unknown field{hint}")


def _wrong(schema: Schema, value: Any, path: Path, problem: str) -> Finding:
    described = schema.get("description", "")
    return Finding(path, f"{dotted(path)}: {_shown(value)} {problem}" + (f" ({described})" if described else ""))


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + '..."'


def dotted(path: Path) -> str:
    """A path as people write it: spec.shops[0].id."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
