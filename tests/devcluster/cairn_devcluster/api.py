# SPDX-License-Identifier: Apache-2.0
"""As much of an API client as waiting for a cluster needs."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Api:
    def __init__(self, server: str, pki: Path, user: str | None = "admin") -> None:
        self._host = urlsplit(server)
        self._tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        if user:
            self._tls.load_cert_chain(pki / f"{user}.crt", pki / f"{user}.key")

    def get(self, path: str, *, timeout: float = 5) -> bytes | None:
        """The body, or None while there is no good answer."""
        address = (self._host.hostname or "", self._host.port or 443)
        connection = http.client.HTTPSConnection(*address, timeout=timeout, context=self._tls)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return body if response.status == 200 else None

    def ok(self, path: str) -> bool:
        return self.get(path) is not None

    def object(self, path: str) -> dict[str, Any]:
        body = self.get(path)
        parsed: dict[str, Any] = json.loads(body) if body else {}
        return parsed
