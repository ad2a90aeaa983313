# SPDX-License-Identifier: Apache-2.0
"""The command line that both apps share."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path

import uvicorn

from .binding import Binding
from .web import App


def serve(title: str, roles: Collection[str]) -> None:
    parser = argparse.ArgumentParser(description=f"{title}, an example app of a seller's data cloud")
    parser.add_argument("--binding", type=Path, default=Path("/bindings/cairn-db"), help="where the Secret is mounted")
    parser.add_argument("--listen", default="0.0.0.0", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen at (default: %(default)s)")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="under which browsers reach it")
    given = parser.parse_args()
    app = App(title, given.url, roles, Binding(given.binding))
    uvicorn.run(app.starlette(), host=given.listen, port=given.port, log_level="warning")
