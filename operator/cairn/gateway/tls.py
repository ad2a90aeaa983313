# SPDX-License-Identifier: Apache-2.0
"""The server's certificate, and the CA that callers' certificates are checked against."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Files:
    """PEM. client_ca: callers may show a certificate that it signed; probes need none, so it isn't demanded."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """OSError or ssl.SSLError (a kind of it) for files that are not there or don't fit."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def stamps(self) -> tuple[int, ...]:
        files = (self.certificate, self.key) + (() if self.client_ca is None else (self.client_ca,))
        return tuple(file.stat().st_mtime_ns for file in files)

    async def keep(self, context: ssl.SSLContext, *, every_seconds: float = 30) -> None:
        """Until cancelled: load renewed files, for connections to come. A CA is added; for one to go, restart."""
        seen = self.stamps()
        while True:
            await asyncio.sleep(every_seconds)
            try:
                found = self.stamps()
                if found != seen:
                    context.load_cert_chain(self.certificate, self.key)
                    if self.client_ca is not None:
                        context.load_verify_locations(self.client_ca)
                    seen = found
                    log.info("TLS: certificate renewed")
            except OSError as error:
                log.warning("TLS: the old certificate stays: %s", error)
