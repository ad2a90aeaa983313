# SPDX-License-Identifier: Apache-2.0
"""`cairn gateway`: take records from the platform and put them on the bus."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from importlib.util import find_spec
from pathlib import Path

from cairn.bus.interface import KeptPublisher
from cairn.cli.declared import declared
from cairn.cli.loader import LoadError
from cairn.gateway.auth import Entrance, Keys
from cairn.gateway.bus import Bus
from cairn.gateway.limits import Limits
from cairn.gateway.run import Settings, creds_of, serve
from cairn.gateway.tls import Files


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bus-url", required=True, help="where the bus is, e.g. nats://cairn-nats:4222 or kafka://a:9092,b:9092"
    )
    parser.add_argument("--stream", default="PUSH", help="stream to publish into (default: %(default)s)")
    parser.add_argument(
        "--creds-file", type=Path, help="NATS credentials that may publish push.*.*.*; none with kafka://"
    )
    parser.add_argument("--key-file", type=Path, help="keys that callers sign with, one a line")
    parser.add_argument("--tls-cert", type=Path, help="certificate to serve HTTPS with, PEM, with those between")
    parser.add_argument("--tls-key", type=Path, help="its key, PEM")
    parser.add_argument("--client-ca", type=Path, help="CA of callers' certificates: who shows one need not sign")
    parser.add_argument(
        "--client-subject",
        action="append",
        default=[],
        help='with --client-ca: only this subject, e.g. "CN=platform,O=Example"; may be repeated',
    )
    parser.add_argument("--limits-file", type=Path, help="records a second that each seller may hand in, YAML")
    parser.add_argument("--datasets-file", type=Path, help="datasets beside those that ship, YAML")
    parser.add_argument("--listen", default="127.0.0.1:8080", help="address to serve on (default: %(default)s)")
    parser.add_argument(
        "--linger", type=float, default=0, help="seconds that SIGTERM still lets new connections in (default: 0)"
    )


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        entrance, settings, bus = _entrance(args), _settings(args), _bus(args)
    except (OSError, ValueError) as error:
        print(f"cairn gateway: {error}", file=sys.stderr)
        return 2
    try:
        datasets = declared(args.datasets_file)
    except (OSError, LoadError) as error:
        print(f"cairn gateway: --datasets-file: {error}", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(bus, entrance, datasets, settings))
    except (OSError, ValueError) as error:
        print(f"cairn gateway: {error}", file=sys.stderr)
        return 1
    return 0


def _bus(args: argparse.Namespace) -> KeptPublisher:
    kafka = args.bus_url.startswith("kafka://")
    if kafka is not (args.creds_file is None):
        raise ValueError("--creds-file is wanted, but not with kafka://, where there are no logins yet")
    if not kafka:
        return Bus(args.bus_url, args.stream, lambda: creds_of(args.creds_file))
    if find_spec("confluent_kafka") is None:
        raise ValueError("kafka:// needs a client that is not installed: pip install 'cairn[kafka]'")
    from cairn.bus.kafka.publish import KafkaPublisher

    return KafkaPublisher(args.bus_url, args.stream)


def _entrance(args: argparse.Namespace) -> Entrance:
    if args.key_file is None and args.client_ca is None:
        raise ValueError("--key-file or --client-ca is wanted: nobody could push")
    if args.client_subject and args.client_ca is None:
        raise ValueError("--client-subject needs --client-ca")
    keys = None if args.key_file is None else Keys(args.key_file)
    return Entrance(keys, frozenset(args.client_subject))


def _settings(args: argparse.Namespace) -> Settings:
    host, _, port = args.listen.rpartition(":")
    if not port.isdigit():
        raise ValueError(f"--listen {args.listen}: HOST:PORT is wanted")
    if (args.tls_cert is None) is not (args.tls_key is None):
        raise ValueError("--tls-cert and --tls-key go together")
    if args.client_ca is not None and args.tls_cert is None:
        raise ValueError("--client-ca needs --tls-cert and --tls-key: certificates are shown over TLS only")
    tls = None if args.tls_cert is None else Files(args.tls_cert, args.tls_key, args.client_ca)
    limits = Limits() if args.limits_file is None else Limits.load(args.limits_file)
    return Settings(host.strip("[]"), int(port), tls, limits, args.linger)
