# SPDX-License-Identifier: Apache-2.0
"""Plain requests to an API server as one identity: what a test needs to see status codes and refusals."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """The HTTP status and the body, parsed; a watch's body is empty."""

    status: int
    body: dict[str, Any]

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    def __str__(self) -> str:
        return f"{self.status} {self.message}"


@dataclass
class Caller:
    """One identity: a bearer token, or (without one) the client certificate of `pki/<user>`."""

    server: str
    pki: Path
    token: str = ""
    user: str = "admin"
    groups: tuple[str, ...] = ()
    """Groups of somebody that an admin stands in for (impersonation): their rights and nothing else."""

    def __call__(self, method: str, path: str, body: object = None, content_type: str = JSON) -> Answer:
        """Send one request; of a watch only the status is read."""
        headers = {"Content-Type": content_type, "Accept": JSON}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        fields = [*headers.items()]
        if self.groups:
            fields += [("Impersonate-User", "somebody"), *(("Impersonate-Group", group) for group in self.groups)]
        url = urlsplit(self.server)
        connection = http.client.HTTPSConnection(url.hostname or "", url.port, timeout=20, context=self._tls)
        with contextlib.closing(connection):
            data = b"" if body is None else json.dumps(body).encode()
            connection.putrequest(method, path)
            for field, value in (*fields, ("Content-Length", str(len(data)))):
                connection.putheader(field, value)
            connection.endheaders(data)
            with connection.getresponse() as response:
                streams = "watch=true" in path and response.status < 300
                raw = b"" if streams else response.read()
                return Answer(response.status, json.loads(raw) if raw else {})

    @functools.cached_property
    def _tls(self) -> ssl.SSLContext:
        tls = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        if not self.token:
            tls.load_cert_chain(self.pki / f"{self.user}.crt", self.pki / f"{self.user}.key")
        return tls

    def get(self, path: str) -> Answer:
        return self("GET", path)

    def create(self, path: str, body: object) -> Answer:
        return self("POST", path, body)

    def apply(self, path: str, body: object) -> Answer:
        return self("PATCH", f"{path}?fieldManager=test&force=true", body, APPLY)

    def merge(self, path: str, body: object) -> Answer:
        return self("PATCH", path, body, MERGE)

    def delete(self, path: str) -> Answer:
        return self("DELETE", path)
