# SPDX-License-Identifier: Apache-2.0
"""The gateway's interface as OpenAPI 3.1."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cairn import __version__
from cairn.api.dataset import Dataset
from cairn.bus.pack import MAX_RECORDS
from cairn.gateway.check import MAX_BODY

ROUTE = "/v1/push/{seller}/{shop}/{dataset}"

_TEXTS = {
    202: "The bus has every record but those in `rejected`. They need not be sent again.",
    400: "Nothing was taken on: no record of the body can be, and `rejected` says why; or a header is wrong.",
    401: "Signature, time or certificate: who sent it is not known.",
    403: "The certificate is good, and its subject is not one of those that may push.",
    404: "No such dataset, or seller and shop are no ids.",
    408: "The body did not arrive in time. Send it again.",
    413: f"More than {MAX_BODY} bytes or {MAX_RECORDS} records. Split it.",
    415: "The body is compressed. Send it as it is.",
    429: "The seller's records come faster than its limit. Send it again after `Retry-After` seconds.",
    503: "The bus is full or not there, the gateway is busy, or what waits of this seller takes its share of the bus. "
    "Send it again after `Retry-After` seconds.",
}


def description(datasets: Mapping[str, Dataset]) -> str:
    """The whole of it, as JSON."""
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Cairn gateway",
            "version": __version__,
            "summary": "Where the platform hands in records for its sellers.",
            "description": "202 means that the bus has the records. Anything else, or no answer at all: send the same "
            "bytes again. Repeating does no harm.",
        },
        "paths": {ROUTE: {"post": _push(datasets)}} | {path: {"get": _plain(text)} for path, text in _PLAIN.items()},
        "components": {
            "schemas": {"Answer": _ANSWER},
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Cairn-Signature",
                    "description": "Hex HMAC-SHA256 with the platform's key over method, path with query, the header "
                    "`X-Cairn-Timestamp` and the hex SHA-256 of the body, one a line with no newline at the end.",
                },
                "certificate": {"type": "mutualTLS", "description": "Where the gateway was given a CA for callers."},
            },
        },
    }
    return json.dumps(described, indent=1)


_PLAIN = {
    "/healthz": "The process answers.",
    "/readyz": "It is connected to the bus and not about to go.",
    "/metrics": "Prometheus' text format.",
}
_ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "rejected"],
    "properties": {
        "accepted": {"type": "integer", "description": "Records that the bus has."},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["line", "reason"],
                "properties": {"line": {"type": "integer", "description": "From 1."}, "reason": {"type": "string"}},
            },
        },
        "error": {"type": "string", "description": "Why nothing was taken on."},
    },
}


def _push(datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    places = {
        "seller": {"type": "string", "pattern": "^[0-9]{1,20}$"},
        "shop": {"type": "string", "pattern": "^[0-9A-Za-z_-]{1,64}$"},
        "dataset": {"enum": sorted(datasets)},
    }
    stamp = {"type": "string", "pattern": "^[0-9]{1,12}$", "description": "Unix seconds, at most 300 off."}
    key = {"type": "string", "pattern": "^[!-~]{1,128}$"}
    return {
        "operationId": "push",
        "summary": "Hand in records of one shop and dataset.",
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": schema} for name, schema in places.items()),
            {"name": "X-Cairn-Timestamp", "in": "header", "schema": stamp},
            {
                "name": "Idempotency-Key",
                "in": "header",
                "schema": key,
                "description": "Names the request: sent again with the same body, the bus has it once, where its "
                "first copy is. Without one, a copy counts as newly sent. Another body is another request.",
            },
        ],
        "requestBody": {
            "required": True,
            "description": f"One JSON record a line, at most {MAX_RECORDS} lines and {MAX_BODY} bytes.",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        },
        "responses": {str(status): _response(status, text) for status, text in _TEXTS.items()},
        "security": [{"signature": []}, {"certificate": []}],
    }


def _response(status: int, text: str) -> dict[str, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Answer"}}
    found: dict[str, Any] = {"description": text, "content": {"application/json": schema}}
    if status in (429, 503):
        found["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return found


def _plain(text: str) -> dict[str, Any]:
    return {"summary": text, "responses": {"200": {"description": text, "content": {"text/plain": {}}}}}
