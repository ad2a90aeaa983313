# SPDX-License-Identifier: Apache-2.0
"""`cairn start|stop|restart|snapshot|restore|clone|erase|replay|discard|audit|backfill`: write an Operation with one's
own rights, and follow it."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import string
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.config import ConfigException

from cairn.api.resources import (
    INTEGRATIONTENANT,
    OPERATION,
    PUSHSUBSCRIPTION,
    SELLERRDS,
    SELLERVM,
    Obj,
    Ref,
    Resource,
)
from cairn.api.schedule import duration
from cairn.cli import operate_push
from cairn.cli.manifests import ENVIRONMENT, add_cluster
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.errors import ApiError

SHORT = {"svm": SELLERVM, "sellervm": SELLERVM, "srds": SELLERRDS, "sellerrds": SELLERRDS}
SHORT |= {"itenant": INTEGRATIONTENANT, "integrationtenant": INTEGRATIONTENANT}
SHORT |= {"push": PUSHSUBSCRIPTION, "pushsubscription": PUSHSUBSCRIPTION}
MACHINES = ("snapshot", "restore", "clone")
CONFIRMED = {
    "restore": "restore replaces the disk of {} (the old one is kept)",
    "erase": "erase hides the buyer from every app of {} for good",
    "discard": "discard gives up records that {} has in quarantine",
}
LONGEST_NAME = 40
LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 15.0
MANAGER = "cairn-cli"
FORBIDDEN = 403


class UsageError(Exception):
    """What the caller has to write differently."""


def add(parser: argparse.ArgumentParser) -> None:
    action = parser.prog.rsplit(" ", 1)[-1]
    example = _example(action)
    parser.add_argument("target", metavar="TARGET", help=f"{example}; the kind may be left out")
    if action == "snapshot":
        parser.add_argument("name", nargs="?", help="name of the snapshot; by default the Operation's")
    if action == "restore":
        parser.add_argument("snapshot", help="VolumeSnapshot that the stopped machine's disk is made from")
        parser.add_argument("--confirm", metavar="NAME", help="the machine's name once more: its disk is replaced")
    if action == "clone":
        parser.add_argument("name", help="name of the new SellerVM")
    if action == "erase":
        parser.add_argument("--shop", required=True, help="the shop that the buyer bought in")
        parser.add_argument("--ouid", required=True, help="the buyer, by the ouid in that shop")
        parser.add_argument("--confirm", metavar="NAME", help="the IntegrationTenant's name once more: it is for good")
    if action in operate_push.ACTIONS:
        operate_push.add(parser, action)
    parser.add_argument("-n", "--namespace", help="by default that of the kubeconfig's context")
    parser.add_argument("--wait", action="store_true", help="follow it to its end")
    parser.add_argument("--timeout", type=_seconds, default=1800.0, metavar="30m", help="with --wait: how long at most")
    add_cluster(parser)
    parser.epilog = "Exit code: 0 asked for (with --wait: done), 1 it failed, 2 wrong usage, no answer or not in time."


def run(args: argparse.Namespace) -> int:
    try:
        if not args.kubeconfig:
            raise UsageError(f"name the cluster with --kubeconfig FILE or {ENVIRONMENT}")  # noqa: TRY301 - one way out
        if not Path(args.kubeconfig).exists():
            raise UsageError(f"kubeconfig {args.kubeconfig} does not exist")  # noqa: TRY301 - one way out
        namespace = args.namespace or _namespace(Path(args.kubeconfig), args.context)
        return asyncio.run(_run(args, namespace))
    except UsageError as error:
        print(f"cairn {args.command}: {error}", file=sys.stderr)
    except ApiError as error:
        print(f"cairn {args.command}: {error.message}", file=sys.stderr)
    except (ConfigException, OSError, ValueError, yaml.YAMLError) as error:
        print(f"cairn {args.command}: {error}", file=sys.stderr)
    return 2


async def _run(args: argparse.Namespace, namespace: str) -> int:
    cluster = Cluster(KubernetesTransport(await load_configuration(args.kubeconfig, args.context)))
    try:
        made = await cluster.create(await _operation(args, namespace, cluster), manager=MANAGER)
        if made is None:  # a namesake, by chance
            raise UsageError("an Operation of this name exists already: try again")
        name = made["metadata"]["name"]
        print(f"operation.cairn.dev/{name}")
        return await _follow(cluster, Ref(OPERATION, namespace, name), args.timeout) if args.wait else 0
    finally:
        await cluster.close()


async def _operation(args: argparse.Namespace, namespace: str, cluster: Cluster) -> Obj:
    kind, name = await _target(args, namespace, cluster)
    spec: Obj = {"target": {"kind": kind.kind, "name": name}, "action": args.command}
    more = {key: getattr(args, key) for key in ("snapshot", "name", "shop", "ouid") if getattr(args, key, None)}
    if args.command in operate_push.ACTIONS:
        more |= operate_push.said(args)
    if warning := CONFIRMED.get(args.command):
        if args.confirm != name:
            raise UsageError(f"{warning.format(name)}: say --confirm {name}")
        spec["confirm"] = name
    letters = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(5))
    stem = f"{args.command}-{name}"[: LONGEST_NAME - 6].rstrip("-.")
    return {
        "apiVersion": OPERATION.api_version,
        "kind": OPERATION.kind,
        "metadata": {"name": f"{stem}-{letters}", "namespace": namespace},
        "spec": spec | ({"args": more} if more else {}),
    }


def _possible(action: str) -> tuple[Resource, ...]:
    if action == "erase":
        return (INTEGRATIONTENANT,)
    if action in operate_push.ACTIONS:
        return (PUSHSUBSCRIPTION,)
    return (SELLERVM,) if action in MACHINES else (SELLERVM, SELLERRDS)


def _example(action: str) -> str:
    if action == "erase":
        return "itenant/NAME"
    if action in operate_push.ACTIONS:
        return "push/NAME"
    return "svm/NAME" if action in MACHINES else "svm/NAME or srds/NAME"


async def _target(args: argparse.Namespace, namespace: str, cluster: Cluster) -> tuple[Resource, str]:
    short, slash, name = args.target.rpartition("/")
    possible = _possible(args.command)
    if slash:
        if SHORT.get(short.lower()) not in possible:
            raise UsageError(f"{args.target}: {args.command} is for {_example(args.command)}")
        return SHORT[short.lower()], name
    try:
        found = [kind for kind in possible if await cluster.get(Ref(kind, namespace, name))]
    except ApiError as error:
        if error.status != FORBIDDEN:
            raise
        short = _example(args.command).split("/")[0]
        raise UsageError(
            f"{name}: write its kind too, such as {short}/{name}, as you may not look ({error.message})"
        ) from None
    if len(found) == 1:
        return found[0], name
    kinds = " and no ".join(kind.kind for kind in possible)
    raise UsageError(
        f"there is a SellerVM and a SellerRDS {name}: write svm/{name} or srds/{name}"
        if found
        else f"there is no {kinds} {name} in {namespace}"
    )


async def _follow(cluster: Cluster, ref: Ref, seconds: float) -> int:
    """Tell what changes until it ends."""
    began, told = time.monotonic(), ""
    while True:
        op = await cluster.get(ref)
        if op is None:
            print(f"{ref.name} was deleted before it ended", file=sys.stderr)
            return 1
        phase, message = _word(op)
        if message and message != told:
            print(f"{phase}: {message}", file=sys.stderr)
            told = message
        if phase in ("Succeeded", "Failed"):
            return 0 if phase == "Succeeded" else 1
        elapsed = time.monotonic() - began
        if elapsed >= seconds:
            print(f"{ref.name} has not ended within {seconds:g} s; it goes on", file=sys.stderr)
            return 2
        if not told and elapsed >= PATIENCE_SECONDS:
            told = "waiting"
            print("nobody has taken it up yet: does Cairn's operator run?", file=sys.stderr)
        await asyncio.sleep(LOOK_SECONDS)


def _word(op: Obj) -> tuple[str, str]:
    status: dict[str, Any] = op.get("status") or {}
    ready: Obj = next((one for one in status.get("conditions") or () if one["type"] == "Ready"), {})
    return str(status.get("phase") or ""), str(ready.get("message") or "")


def _namespace(kubeconfig: Path, context: str | None) -> str:
    """That of the context, as kubectl takes it."""
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise UsageError(f"{kubeconfig} is no kubeconfig")
    wanted = context or config.get("current-context")
    for entry in config.get("contexts") or ():
        if entry.get("name") == wanted and (found := (entry.get("context") or {}).get("namespace")):
            return str(found)
    raise UsageError("name the namespace with -n: the kubeconfig's context has none")


def _seconds(text: str) -> float:
    try:
        return duration(text).total_seconds()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
