# SPDX-License-Identifier: Apache-2.0
"""An OpenID provider on loopback: real sign-ins of people in a file, for apps and for an API server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from . import base, build, controlplane
from .api import Api


@dataclass(frozen=True)
class Account:
    """A sub-account of a seller, as an IntegrationTenant's spec.accounts names it."""

    seller: str
    name: str
    role: str


@dataclass(frozen=True)
class Person:
    """groups: beside those of the accounts, for consoles alone: a vendor's developers"""

    name: str
    password: str
    accounts: tuple[Account, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Client:
    """An app of one seller, or (without one) a console for all of a person's accounts.

    lifetime: of ID tokens, as Go writes durations; negative: they are past their end
    audience: whom tokens are for beside the client itself
    """

    id: str
    redirects: tuple[str, ...]
    seller: str = ""
    lifetime: str = "1h"
    audience: tuple[str, ...] = ()


class Provider:
    """A running provider, as a context manager. It keeps nothing over its end; its file may change at any time."""

    def __init__(self, directory: Path, *, role_claim: str = "cairn_role") -> None:
        self.directory = directory
        self.issuer = f"https://127.0.0.1:{controlplane.free_ports(1)[0]}"
        self.role_claim = role_claim
        self._people = directory / "people.json"
        self._process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.write()

    @property
    def ca(self) -> Path:
        """The certificate of its authority, which clients must trust."""
        return self.directory / "ca.crt"

    @property
    def log(self) -> Path:
        return self.directory / "oidc-dev.log"

    def write(self, people: Iterable[Person] = (), clients: Iterable[Client] = ()) -> None:
        """Who may sign in, and to what: from the next request on."""
        scratch = self._people.with_suffix(".tmp")
        scratch.write_text(json.dumps({"people": [*map(asdict, people)], "clients": [*map(asdict, clients)]}))
        scratch.rename(self._people)

    def __enter__(self) -> Self:
        flags = ["-issuer", self.issuer, "-role-claim", self.role_claim]
        flags += ["-people", str(self._people), "-ca", str(self.ca)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [build.binary("guard"), build.binary("oidc-dev"), *flags],
                env={**os.environ, "CAIRN_PARENT": str(os.getpid())},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            base.wait_for("the OpenID provider", self._ready, seconds=20, every=0.05)
        except BaseException:
            self._end()
            raise
        return self

    def _ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise base.StepError(f"the OpenID provider ended\n{base.tail(self.log)}")
        return self.ca.exists() and Api(self.issuer, self.directory, None).ok("/.well-known/openid-configuration")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is not None:
            controlplane.kill_group(self._process.pid)
            self._process.wait()
            self._process = None
