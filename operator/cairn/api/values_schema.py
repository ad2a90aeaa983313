# SPDX-License-Identifier: Apache-2.0
"""JSON Schema of the values of charts/seller-cloud: machines, databases and pushes by name, each as its spec.

Types and patterns only; rules between fields are the API server's and `cairn check`'s. Helm looks at values before it
renders, so that a wrong one is refused with its path instead of by a template error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cairn.api.base import LABEL_PATTERN
from cairn.api.crd import BY_KIND
from cairn.api.dataset import Dataset
from cairn.api.structural import Schema

SECTIONS: Mapping[str, tuple[str, str]] = {
    "machines": ("SellerVM", "Machines by name: each is the spec of a SellerVM."),
    "databases": ("SellerRDS", "Databases by name: each is the spec of a SellerRDS."),
    "pushes": ("PushSubscription", "Pushes by name: each is the spec of a PushSubscription."),
}
"""Section of the values: (kind, description)."""


def values_schema() -> Schema:
    """The schema, in draft 7, which every Helm reads."""
    sections = {name: _section(kind, description) for name, (kind, description) in SECTIONS.items()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart seller-cloud",
        "type": "object",
        "additionalProperties": False,
        "properties": {"global": {"type": "object", "description": "Helm's own."}, **sections},
    }


def datasets_schema() -> Schema:
    """Of `datasets` in the values of charts/cairn."""
    whole = Dataset.model_json_schema()
    kinds = whole.pop("$defs")
    description = "Kinds of records beside those that ship."
    return {"type": "array", "maxItems": 32, "description": description, "items": _inlined(whole, kinds)}


def _inlined(node: Any, kinds: Schema) -> Any:
    """Without references, pydantic's titles and prose: Helm's errors then show the path in the values alone."""
    if isinstance(node, list):
        return [_inlined(one, kinds) for one in node]
    if not isinstance(node, dict):
        return node
    if ref := node.get("$ref"):
        return _inlined(kinds[ref.removeprefix("#/$defs/")], kinds)
    out = {key: _inlined(value, kinds) for key, value in node.items() if key not in ("title", "description", "default")}
    if "properties" in node:
        out["properties"] = {key: _inlined(value, kinds) for key, value in node["properties"].items()}
    return out


def _section(kind: str, description: str) -> Schema:
    spec = BY_KIND[kind].schema()["properties"]["spec"]
    return {
        "type": "object",
        "description": description,
        "default": {},
        "propertyNames": {"pattern": LABEL_PATTERN, "maxLength": 40},
        "additionalProperties": _draft7(spec),
    }


def _draft7(node: Schema) -> Schema:
    """A structural schema in plain JSON Schema; fields nobody knows are refused."""
    out = {key: value for key, value in node.items() if not key.startswith("x-")}
    if node.get("x-kubernetes-int-or-string"):
        out["type"] = ["string", "integer"]
    if node.get("x-kubernetes-list-type") == "set":
        out["uniqueItems"] = True
    if node.get("exclusiveMinimum"):
        out["exclusiveMinimum"] = out.pop("minimum")
    if "properties" in node:
        out["properties"] = {key: _draft7(child) for key, child in node["properties"].items()}
        out["additionalProperties"] = False
    if "items" in node:
        out["items"] = _draft7(node["items"])
    return out
