# SPDX-License-Identifier: Apache-2.0
"""The example apps as processes, their Secret as the kubelet mounts it, and a person's browser."""

from __future__ import annotations

import itertools
import os
import re
import ssl
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

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


class Browser(httpx.Client):
    """A person's browser: it follows redirects, keeps cookies, and fills in the provider's form."""

    def __init__(self, ca: Path | None = None) -> None:
        super().__init__(
            verify=ssl.create_default_context(cafile=ca), follow_redirects=True, timeout=20, trust_env=False
        )

    def sign_in(self, form: httpx.Response, name: str, password: str) -> httpx.Response:
        """Fill in the form that `form` shows; the page where it leads."""
        found = re.search(r'name="id" value="([^"]+)"', form.text)
        assert found, f"no form: {form.url} {form.text}"
        return self.post(form.url.join("/login"), data={"id": found[1], "name": name, "password": password})

    def asked(self, page: httpx.Response) -> bool:
        """Whether this page asks for a password."""
        return 'type="password"' in page.text
