# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: uvicorn, with what it lacks against callers who stall and for those who show a certificate."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from cryptography import x509
from h11 import LocalProtocolError
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS = 10.0
"""From a connection's or a request's first byte to the end of its head."""
KEEP_ALIVE_SECONDS = 75
MAX_HEAD = 16 * 1024


class Protocol(H11Protocol):
    """One connection. A head that isn't there in time closes it; nothing is waited for without an end."""

    head_seconds = HEAD_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.app_state = {**self.app_state, "subject": _subject(transport)}
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.trailing_data[0]:
            self._watch()

    def timeout_keep_alive_handler(self) -> None:
        self.transport.abort()  # closing would wait for a peer that doesn't read

    def send_400_response(self, msg: str) -> None:
        """Also to a request whose body turns out to be no HTTP while somebody works on it."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        try:
            super().send_400_response(msg)
        except LocalProtocolError:
            self.transport.abort()

    def _watch(self) -> None:
        begun: RequestResponseCycle | None = self.cycle
        if self.transport.is_closing() or (begun is not None and not begun.response_complete):
            self._disarm()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Server(uvicorn.Server):
    """Ends when it is told to, and leaves signals to whoever runs it."""

    def __init__(self, app: ASGIApp, tls: ssl.SSLContext | None, drain_seconds: int) -> None:
        settings: dict[str, Any] = {} if tls is None else {"ssl_context_factory": lambda _config, _default: tls}
        super().__init__(
            uvicorn.Config(
                app,
                http=Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                backlog=1024,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=drain_seconds,
                h11_max_incomplete_event_size=MAX_HEAD,
                **settings,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """OSError when the address is taken or isn't here."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off for sockets that say that they are TCP's; it costs 40 ms an answer
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _subject(transport: asyncio.Transport) -> str | None:
    """RFC 4514 name of who is at the other end, when a CA of ours says so."""
    tls = transport.get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert(binary_form=True)
    if not certificate:
        return None
    with suppress(ValueError):
        return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
    return None
