# SPDX-License-Identifier: Apache-2.0
"""`cairn bus init`: mint the keys and the server configuration of a new bus."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from secrets import token_hex

from cairn.bus.credentials import new_installation

SERVER = """\
# Made by `cairn bus init`. Acknowledged means on disk: keep sync_interval at always.
server_name: {name}
listen: {listen}
http: {monitor}
max_payload: 2MB
jetstream {{
  store_dir: {store}
  sync_interval: always
}}
include ./auth.conf
"""


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="bus_command", required=True, metavar="COMMAND")
    init = commands.add_parser(
        "init",
        help="mint keys and configuration of a new bus",
        description="Mints the keys and the server configuration of a new bus. They can't be read back from a bus: "
        "minted again, everybody who uses it must be given the new ones.",
    )
    where = init.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="write the files here (directory 0700, files 0600)")
    where.add_argument("--namespace", help="print Secrets for this namespace on standard output")
    init.add_argument(
        "--server-name", default="cairn-nats-0", help="with --out: name of the server (default: %(default)s)"
    )
    init.add_argument("--listen", default="0.0.0.0:4222", help="with --out: address of the bus (default: %(default)s)")
    init.add_argument(
        "--monitor", default="127.0.0.1:8222", help="with --out: address for its health (default: %(default)s)"
    )
    init.add_argument("--store", default="/data", help="with --out: where it keeps its messages (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    made = new_installation()
    secrets = {
        "cairn-bus": {"auth.conf": made.server},
        "cairn-bus-account": {
            "account.seed": made.account_seed,
            "admin.creds": made.admin,
            "system.creds": made.system,
        },
        "cairn-gateway": {"user.creds": made.gateway, "hmac.key": token_hex(32)},
    }
    if args.out is not None:
        store = json.dumps(args.store)
        config = SERVER.format(name=args.server_name, listen=args.listen, monitor=args.monitor, store=store)
        texts = {name: text for secret in secrets.values() for name, text in secret.items()}
        return _write(args.out, {"nats.conf": config, **texts})
    for name, data in secrets.items():
        metadata = {"name": name, "namespace": args.namespace, "labels": {"app.kubernetes.io/part-of": "cairn"}}
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": data}
        print("---")
        print(json.dumps(manifest, indent=2))
    return 0


def _write(directory: Path, texts: dict[str, str]) -> int:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if taken := sorted(name for name in texts if (directory / name).exists()):
        print(
            f"cairn bus init: {directory} holds {', '.join(taken)} already: keys are not overwritten", file=sys.stderr
        )
        return 1
    for name, text in texts.items():
        descriptor = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    print(f"wrote {', '.join(sorted(texts))} to {directory}")
    return 0
