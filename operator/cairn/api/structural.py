# SPDX-License-Identifier: Apache-2.0
"""From pydantic's JSON schema to the structural schema that a CRD wants: one type a node, no references, no unions.

Whatever a structural schema can't say is an error here, not something silently dropped. Rules of a model travel
along under `x-rules`, as objects; `cairn.api.crd` writes them down, `cairn.api.validate` runs their Python twins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT = (
    "type", "description", "format", "default", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
)  # fmt: skip
_IGNORED = {"title", "$defs"}
_NESTED = {"properties", "required", "items", "additionalProperties"}


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model, as users write it. TypeError where the model says what no CRD can."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _Converter(schema.get("$defs", {})).node(schema, model.__name__)


class _Converter:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions
        self._open: list[str] = []

    def node(self, schema: Schema, where: str) -> Schema:
        """One node. `where` is for messages."""
        schema = dict(schema)
        if reference := schema.pop("$ref", None):
            return self._referenced(reference.rsplit("/", 1)[-1], schema, where)
        if "anyOf" in schema:
            return self._optional(schema, where)
        if "const" in schema:
            schema["enum"] = [schema.pop("const")]
        known = {*_KEPT, *_NESTED, *_IGNORED}
        if foreign := sorted(key for key in schema if key not in known and not key.startswith("x-")):
            raise TypeError(f"{where}: a structural schema has no {', '.join(foreign)}")
        out = {key: schema[key] for key in _KEPT if key in schema}
        out |= {key: value for key, value in schema.items() if key.startswith("x-")}
        out |= self._children(schema, where)
        return _checked(out, where)

    def _referenced(self, name: str, siblings: Schema, where: str) -> Schema:
        if name in self._open:
            raise TypeError(f"{where}: {name} contains itself, and a structural schema ends somewhere")
        self._open.append(name)
        try:
            return self.node({**self._definitions[name], **siblings}, where)
        finally:
            self._open.pop()

    def _optional(self, schema: Schema, where: str) -> Schema:
        """`T | None`: absent and null mean the same, so the field is T and not required."""
        options = [option for option in schema.pop("anyOf") if option.get("type") != "null"]
        if len(options) != 1:
            raise TypeError(f"{where}: a union of types; declare one optional field for each, and a rule")
        if schema.get("default", ...) is None:
            del schema["default"]
        return self.node({**options[0], **schema}, where)

    def _children(self, schema: Schema, where: str) -> Schema:
        out: Schema = {}
        if "properties" in schema:
            out["properties"] = {key: self.node(one, f"{where}.{key}") for key, one in schema["properties"].items()}
            if required := schema.get("required"):
                out["required"] = sorted(required)
        if "items" in schema:
            out["items"] = self.node(schema["items"], f"{where}[]")
        if schema.get("additionalProperties"):
            raise TypeError(f"{where}: a map with free keys; declare a list of named objects instead")
        return out


def _checked(node: Schema, where: str) -> Schema:
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if bound in node:  # a boolean in OpenAPI 3.0, a number in today's JSON schema
            node[limit], node[bound] = node[bound], True
    if "enum" in node:
        node["enum"] = sorted(node["enum"])
    if "default" in node:
        node["default"] = _without_nulls(node["default"])
    if "x-kubernetes-int-or-string" in node:
        node.pop("type", None)
    elif not isinstance(node.get("type"), str):
        raise TypeError(f"{where}: no type")
    if node.get("type") == "integer":
        node.setdefault("format", "int64")
    if node.get("type") == "array":
        _check_list(node, where)
    if node.get("type") == "string" and not {"maxLength", "enum", "format"} & set(node):
        raise TypeError(f"{where}: a string without a limit; rules that reach it would cost too much")
    return node


def _without_nulls(default: Any) -> Any:
    """A default as the API server wants it: absent is absent, and a list is a list."""
    if isinstance(default, dict):
        return {key: _without_nulls(value) for key, value in default.items() if value is not None}
    return [_without_nulls(one) for one in default] if isinstance(default, list | tuple) else default


def _check_list(node: Schema, where: str) -> None:
    if "maxItems" not in node:
        raise TypeError(f"{where}: a list without a limit; rules that reach it would cost too much")
    of_objects = node["items"].get("type") == "object"
    merged = node.get("x-kubernetes-list-type")
    if merged != ("map" if of_objects else "set"):
        raise TypeError(f"{where}: say how server-side apply merges it, a map by name or a set of scalars")
    if of_objects and not set(node["x-kubernetes-list-map-keys"]) <= set(node["items"].get("required", ())):
        raise TypeError(f"{where}: the key of a map list is a required field")
