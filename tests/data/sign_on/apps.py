# SPDX-License-Identifier: Apache-2.0
"""The example apps as processes, their Secret as the kubelet mounts it, and a person's browser."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import secrets
import ssl
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import httpx

from data.servers import answers, free_port, until

APPS = Path(__file__).resolve().parents[3] / "examples" / "tenant" / "apps"


class Mounted:
    """A Secret as a volume shows it: `..data` is a link to a directory, and an update swaps the link."""

    def __init__(self, directory: Path, keys: dict[str, str]) -> None:
        self.directory = directory
        self.keys = keys
        self._numbers = itertools.count()
        directory.mkdir()
        self.update(keys)

    def update(self, changed: dict[str, str]) -> None:
        self.keys = self.keys | changed
        version = self.directory / f"..{next(self._numbers)}"
        version.mkdir()
        for name, value in self.keys.items():
            (version / name).write_text(value)
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")
        (self.directory / "..next").symlink_to(version.name)
        (self.directory / "..next").rename(self.directory / "..data")


class Running:
    """One of the example apps, on loopback. `url` is known before it starts: the provider must know it."""

    def __init__(self, program: str, directory: Path) -> None:
        self.program, self.directory = program, directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, secret: Mounted, ca: Path | None = None) -> Self:
        """ca: of the provider, when that is none the system trusts."""
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, str(APPS / self.program)]
        flags = ["--binding", secret.directory, "--listen", "127.0.0.1", "--port", str(self.port), "--url", self.url]
        env = os.environ | ({"SSL_CERT_FILE": str(ca)} if ca else {})
        with (self.directory / f"{self.program}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *map(str, flags)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
        until(f"{self.program} answers", self._ready)
        return self

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.directory / f"{self.program}.log").read_text()[-2000:]
        return answers(self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


def told(step: httpx.Response) -> dict[str, str]:
    """What a redirect carries to where it leads."""
    assert step.is_redirect, f"{step.status_code} {step.url} {step.text}"
    return {name: values[0] for name, values in parse_qs(urlsplit(step.headers["Location"]).query).items()}


class Browser(httpx.Client):
    """A person's browser: it follows redirects, keeps cookies, and fills in the provider's form."""

    def __init__(self, ca: Path | None = None) -> None:
        super().__init__(
            verify=ssl.create_default_context(cafile=ca), follow_redirects=True, timeout=20, trust_env=False
        )

    def sign_in(self, form: httpx.Response, name: str, password: str, *, follow: bool = True) -> httpx.Response:
        """Fill in the form that `form` shows; the page where it leads, or (without follow) the first step there."""
        found = re.search(r'name="id" value="([^"]+)"', form.text)
        assert found, f"no form: {form.url} {form.text}"
        body = {"id": found[1], "name": name, "password": password}
        return self.post(form.url.join("/login"), data=body, follow_redirects=follow)

    def walk(self, step: httpx.Response, end: str) -> httpx.Response:
        """Follow redirects up to the one that leads to `end`, which is not followed."""
        while step.is_redirect and not step.headers["Location"].startswith(end):
            step = self.get(step.url.join(step.headers["Location"]), follow_redirects=False)
        return step

    def token(self, issuer: str, client: str, redirect: str, name: str, password: str) -> str:
        """An ID token as a program on this person's machine gets one: the code ends at a redirect it listens at."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"response_type": "code", "client_id": client, "redirect_uri": redirect, "scope": "openid profile"}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256", "nonce": secrets.token_urlsafe()}
        page = self.walk(self.get(f"{issuer}/authorize", params=asked, follow_redirects=False), redirect)
        if self.asked(page):
            page = self.walk(self.sign_in(page, name, password, follow=False), redirect)
        body = {"grant_type": "authorization_code", "code": told(page)["code"], "code_verifier": verifier}
        answer = self.post(f"{issuer}/oauth/token", data=body | {"redirect_uri": redirect, "client_id": client})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id_token"])

    def asked(self, page: httpx.Response) -> bool:
        """Whether this page asks for a password."""
        return 'type="password"' in page.text
