# SPDX-License-Identifier: Apache-2.0
"""What the gateway says, always in one form: how many records the bus has, which lines were refused, and why."""

from __future__ import annotations

import json
import math

from starlette.responses import Response

from cairn.gateway.check import Refused


def verdict(accepted: int, refused: list[Refused]) -> Response:
    """The answer to a body that was read and judged."""
    if not accepted and not refused:
        return error(400, "no records: the body is one JSON record a line")
    body = {"accepted": accepted, "rejected": [{"line": one.line, "reason": one.reason} for one in refused]}
    return _json(202 if accepted else 400, body)


def error(status: int, why: str, *, retry_after: float | None = None, close: bool = False) -> Response:
    """Nothing was taken on, or nobody can tell. close: the rest of the request is not read."""
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    if close:
        headers["Connection"] = "close"
    return _json(status, {"accepted": 0, "rejected": [], "error": why}, headers)


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body) + "\n", status, headers, "application/json")
