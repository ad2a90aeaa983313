# SPDX-License-Identifier: Apache-2.0
"""`cairn bus`: the keys and the server configuration of a new bus, new logins for one that stands, and a seller's topic
on a Kafka."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from cairn.bus.connection import BusError
from cairn.bus.credentials import new_installation, new_users
from cairn.bus.nkeys import BadKeyError

if TYPE_CHECKING:
    from cairn.bus.kafka.admin import Topic

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

NEW_BUS = """\
cairn bus init: these are keys of a new bus. Over those of a standing one they lock out gateway, workers and senders:
use `kubectl create`, which replaces nothing. New logins for a standing bus: `cairn bus users`.
"""

# Patches: `kubectl apply` of a Secret with one key, server-side too, may drop the keys that an apply before it has set.
PATCH = """\
kubectl patch secret {name} --namespace {namespace} --patch-file=/dev/stdin <<'EOF'
{patch}
EOF
"""


def add(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="bus_command", required=True, metavar="COMMAND")
    init = commands.add_parser(
        "init",
        help="mint keys and configuration of a new bus",
        description="Mints the keys and the server configuration of a new bus. They can't be read back from a bus. "
        "It always makes a new bus: a standing one knows none of these keys, and `cairn bus users` mints its logins.",
    )
    where = init.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="write the files here (directory 0700, files 0600)")
    where.add_argument(
        "--namespace", help="print Secrets for this namespace on standard output, for `kubectl create -f -`"
    )
    init.add_argument(
        "--server-name", default="cairn-nats-0", help="with --out: name of the server (default: %(default)s)"
    )
    init.add_argument("--listen", default="0.0.0.0:4222", help="with --out: address of the bus (default: %(default)s)")
    init.add_argument(
        "--monitor", default="127.0.0.1:8222", help="with --out: address for its health (default: %(default)s)"
    )
    init.add_argument("--store", default="/data", help="with --out: where it keeps its messages (default: %(default)s)")
    users = commands.add_parser(
        "users",
        help="mint logins of a standing bus anew",
        description="Mints admin.creds and the gateway's user.creds from the account.seed of a standing bus, with the "
        "rights that this version needs. All other keys stay as they are. It is no rotation: logins minted before stay "
        "valid. system.creds belongs to another account, whose key nobody has, and can't be minted.",
    )
    users.add_argument(
        "--account-seed", required=True, metavar="FILE", help="account.seed of the bus (- for standard input)"
    )
    where = users.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="DIR", help="write the files here (directory 0700, files 0600)")
    where.add_argument(
        "--namespace", help="print a script, for `sh`, that patches the Secrets of this namespace by kubectl"
    )
    topic = commands.add_parser(
        "topic",
        help="make a seller's topic on a Kafka",
        description="Makes a seller's topic on a Kafka with safe settings, and prints what goes as bus.topic into the "
        "worker's configuration. Keep it: when a topic was made can't be asked of Kafka.",
    )
    topic.add_argument("--bus-url", required=True, help="e.g. kafka://a:9092,b:9092")
    topic.add_argument("--stream", default="PUSH", help="what its name begins with (default: %(default)s)")
    topic.add_argument("--seller", required=True, help="the seller's id at the platform")
    topic.add_argument("--replicas", type=int, default=3, help="brokers that have it (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    return {"init": _init, "users": _users, "topic": _topic}[args.bus_command](args)


def _topic(args: argparse.Namespace) -> int:
    if find_spec("confluent_kafka") is None:
        print("cairn bus topic: a client is not installed: pip install 'cairn[kafka]'", file=sys.stderr)
        return 2
    from cairn.bus.kafka.admin import Admin

    async def make() -> tuple[Topic, tuple[str, ...]]:
        admin = Admin(args.bus_url)
        made = await admin.create_topic(f"{args.stream}.{args.seller}", args.replicas)
        return made, await admin.problems(made.name, args.replicas)

    try:
        made, problems = asyncio.run(make())
    except (BusError, ValueError) as error:
        print(f"cairn bus topic: {error}", file=sys.stderr)
        return 1
    for problem in problems:
        print(f"cairn bus topic: unsafe: {problem}", file=sys.stderr)
    if not made.epoch:
        print(f"cairn bus topic: {made.name} stands, and what was printed when it was made is wanted", file=sys.stderr)
        return 1
    print(json.dumps({"name": made.name, "id": made.id, "epoch": made.epoch}))
    return 1 if problems else 0


def _init(args: argparse.Namespace) -> int:
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
        return _write("init", args.out, {"nats.conf": config, **texts})
    sys.stderr.write(NEW_BUS)
    for name, data in secrets.items():
        metadata = {"name": name, "namespace": args.namespace, "labels": {"app.kubernetes.io/part-of": "cairn"}}
        manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "stringData": data}
        print("---")
        print(json.dumps(manifest, indent=2))
    return 0


def _users(args: argparse.Namespace) -> int:
    try:
        seed = sys.stdin.read() if args.account_seed == "-" else Path(args.account_seed).read_text()
        made = new_users(seed.strip())
    except (OSError, UnicodeDecodeError, BadKeyError) as error:
        print(f"cairn bus users: --account-seed {args.account_seed}: {error}", file=sys.stderr)
        return 1
    if args.out is not None:
        return _write("users", args.out, {"admin.creds": made.admin, "user.creds": made.gateway})
    print("set -e")
    for name, data in (
        ("cairn-bus-account", {"admin.creds": made.admin}),
        ("cairn-gateway", {"user.creds": made.gateway}),
    ):
        patch = json.dumps({"stringData": data})
        print(PATCH.format(name=name, namespace=shlex.quote(args.namespace), patch=patch), end="")
    return 0


def _write(command: str, directory: Path, texts: dict[str, str]) -> int:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if taken := sorted(name for name in texts if (directory / name).exists()):
        print(
            f"cairn bus {command}: {directory} holds {', '.join(taken)} already: keys are not overwritten",
            file=sys.stderr,
        )
        return 1
    for name, text in texts.items():
        descriptor = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    print(f"wrote {', '.join(sorted(texts))} to {directory}")
    return 0
