# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI description for people: one page that loads nothing from anywhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}"
    "td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}code{background:#8882;padding:0 .2rem}"
)


def page(described: str) -> str:
    """HTML of a description as `openapi.description` makes it."""
    api = json.loads(described)
    parts = [
        f"<h1>{_text(api['info']['title'])}</h1>",
        f"<p>{_text(api['info']['summary'])}",
        _p(api["info"]["description"]),
    ]
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            parts += [f"<h2><code>{method.upper()} {escape(path)}</code></h2>", _p(operation["summary"])]
            parts += [_operation(operation)]
    schemes = api["components"]["securitySchemes"]
    parts += [
        "<h2>Who may push</h2>",
        _table((one.get("name", name), one["description"]) for name, one in schemes.items()),
    ]
    parts += ['<p>The same for programs: <a href="openapi.json">openapi.json</a>']
    head = f"<meta charset=utf-8><title>Cairn gateway</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en>{head}{''.join(parts)}"


def _operation(operation: dict[str, Any]) -> str:
    parts = []
    if parameters := operation.get("parameters"):
        parts += [_table((one["name"], _parameter(one)) for one in parameters)]
    if body := operation.get("requestBody"):
        parts += [_p(body["description"])]
    return "".join([*parts, _table((status, one["description"]) for status, one in operation["responses"].items())])


def _parameter(one: dict[str, Any]) -> str:
    schema = one["schema"]
    allowed = f"`{schema['pattern']}`" if "pattern" in schema else ", ".join(f"`{value}`" for value in schema["enum"])
    return f"{one['in']}: {allowed}. {one.get('description', schema.get('description', ''))}"


def _table(rows: Any) -> str:
    return "<table>" + "".join(f"<tr><th>{_text(head)}<td>{_text(text)}" for head, text in rows) + "</table>"


def _p(text: str) -> str:
    return f"<p>{_text(text)}"


def _text(text: str) -> str:
    """Escaped, with what stands between backticks as code."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if at % 2 else piece for at, piece in enumerate(pieces))
