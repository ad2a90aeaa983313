# SPDX-License-Identifier: Apache-2.0
"""Reading and making Secrets as plain objects. What is read here must never reach a plan, a status or a log."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping

from cairn.api.resources import Obj


def raw(secret: Obj | None, key: str) -> bytes:
    """A key of a Secret; empty where it is not there."""
    value = ((secret or {}).get("data") or {}).get(key)
    try:
        return b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        return b""


def text(secret: Obj | None, key: str) -> str:
    return raw(secret, key).decode("utf-8", "replace")


def secret(namespace: str, name: str, labels: Mapping[str, str], data: Mapping[str, bytes]) -> Obj:
    """A Secret to be created."""
    encoded = {key: b64encode(value).decode("ascii") for key, value in data.items()}
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": encoded}


def is_cairns(obj: Obj) -> bool:
    """Whether Cairn made it: a user's reference to it would make the operator hand out what the user may not read."""
    labels = (obj.get("metadata") or {}).get("labels") or {}
    return labels.get("app.kubernetes.io/managed-by") == "cairn"
