# SPDX-License-Identifier: Apache-2.0
"""`cairn gateway`: take records from the platform and put them on the bus."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from cairn.datasets import shipped
from cairn.gateway.auth import Keys
from cairn.gateway.bus import Bus
from cairn.gateway.run import creds_of, serve


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bus-url", required=True, help="where the bus is, e.g. nats://cairn-nats:4222")
    parser.add_argument("--stream", default="PUSH", help="stream to publish into (default: %(default)s)")
    parser.add_argument("--creds-file", type=Path, required=True, help="NATS credentials that may publish push.*.*.*")
    parser.add_argument("--key-file", type=Path, required=True, help="keys that callers sign with, one a line")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="address to serve on (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    host, _, port = args.listen.rpartition(":")
    if not port.isdigit():
        print(f"cairn gateway: --listen {args.listen}: HOST:PORT is wanted", file=sys.stderr)
        return 2
    bus = Bus(args.bus_url, args.stream, lambda: creds_of(args.creds_file))
    try:
        asyncio.run(serve(bus, Keys(args.key_file), shipped(), host.strip("[]"), int(port)))
    except (OSError, ValueError) as error:
        print(f"cairn gateway: {error}", file=sys.stderr)
        return 1
    return 0
