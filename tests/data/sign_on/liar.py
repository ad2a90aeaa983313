# SPDX-License-Identifier: Apache-2.0
"""A provider that lies: what it says of a person can be bent in any way, so that one sees what an app believes."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

Claims = dict[str, Any]


class Liar:
    """`claims` are laid over those of an honest token; `key` signs it; without `tells` there is no ID token."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.known = RSAKey.generate_key(2048, {"kid": "known", "alg": "RS256", "use": "sig"}, auto_kid=False)
        self.key = self.known
        self.claims: Claims = {}
        self.tells = True
        self.nonce = ""
        liar = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                liar.get(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                liar.answer(self, liar.token())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        if url.path == "/authorize":  # everybody is signed in already
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            self.nonce = asked["nonce"]
            handler.send_response(302)
            back = urlencode({"code": "code", "state": asked["state"]})
            handler.send_header("Location", f"{asked['redirect_uri']}?{back}")
            handler.end_headers()
        elif url.path == "/keys":
            self.answer(handler, dict(KeySet([self.known]).as_dict(private=False)))
        else:
            ends = {"authorization": "authorize", "token": "token"}
            metadata = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in ends.items()}
            self.answer(handler, metadata | {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"})

    def token(self) -> Claims:
        answer: Claims = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300}
        if self.tells:
            now = int(time.time())
            honest: Claims = {
                "iss": self.issuer,
                "aud": [self.client],
                "azp": self.client,
                "sub": "lin",
                "nonce": self.nonce,
            }
            honest |= {"iat": now, "exp": now + 300, "groups": ["cairn:2088:lin"], "cairn_role": "owner"}
            claims = honest | self.claims
            told = {name: value for name, value in claims.items() if value is not None}
            answer["id_token"] = jwt.encode({"alg": "RS256", "kid": self.key.kid}, told, self.key)
        return answer

    @staticmethod
    def answer(handler: BaseHTTPRequestHandler, body: Claims) -> None:
        raw = json.dumps(body).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)
