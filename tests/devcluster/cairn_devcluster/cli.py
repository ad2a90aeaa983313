# SPDX-License-Identifier: Apache-2.0
"""The command line."""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from . import base, build, controlplane
from .controlplane import ControlPlane


def _build(a: argparse.Namespace) -> int:
    build.build(*(build.CONTROL_PLANE if a.what == "controlplane" else build.ALL))
    return 0


def _up(a: argparse.Namespace) -> int:
    began = time.monotonic()
    directory = base.run_dir(a.name)
    if controlplane.running(directory):
        base.say(f"{a.name} is up already")
    else:
        ControlPlane.start(directory, name=a.name, detached=True, audit=a.audit)
    base.say(f"{a.name} up: {time.monotonic() - began:.1f} s; export KUBECONFIG={directory / 'admin.conf'}")
    return 0


def _down(a: argparse.Namespace) -> int:
    controlplane.end_left_over(base.run_dir(a.name))
    return 0


def _wipe(a: argparse.Namespace) -> int:
    _down(a)
    shutil.rmtree(base.run_dir(a.name), ignore_errors=True)
    return 0


def _status(a: argparse.Namespace) -> int:
    for directory in sorted(p for p in (base.cache() / "run").glob("*") if p.is_dir()):
        pids = controlplane.running(directory)
        print(f"{directory.name}: {'up' if pids else 'down'}, {directory / 'admin.conf'}")
    return 0


def _kubeconfig(a: argparse.Namespace) -> int:
    path: Path = base.run_dir(a.name) / "admin.conf"
    if not path.exists():
        raise base.Missing(f"no cluster {a.name}: devcluster.py up --name {a.name}")
    print(path)
    return 0


def _path(a: argparse.Namespace) -> int:
    print(build.binary(a.binary))
    return 0


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="devcluster.py", description="A real Kubernetes from packages alone.")
    sub = p.add_subparsers(required=True, metavar="COMMAND")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--name", default="dev", help="which cluster (default: %(default)s)")

    c = sub.add_parser("build", help="build binaries and images into the cache")
    c.add_argument("--what", choices=["all", "controlplane"], default="all")
    c.set_defaults(run=_build)
    c = sub.add_parser("up", parents=[named], help="start a cluster")
    c.add_argument("--control-plane", action="store_true", help="API server only: no root, no nodes")
    c.add_argument("--audit", action=argparse.BooleanOptionalAction, default=True, help="audit log (default: yes)")
    c.set_defaults(run=_up)
    sub.add_parser("down", parents=[named], help="stop a cluster; its state stays").set_defaults(run=_down)
    sub.add_parser("wipe", parents=[named], help="stop a cluster and delete its state").set_defaults(run=_wipe)
    sub.add_parser("status", help="list the clusters").set_defaults(run=_status)
    sub.add_parser("kubeconfig", parents=[named], help="print the kubeconfig's path").set_defaults(run=_kubeconfig)
    c = sub.add_parser("path", help="print the path of a binary: kubectl, helm, nats-server, ...")
    c.add_argument("binary")
    c.set_defaults(run=_path)
    return p


def main(argv: list[str]) -> int:
    a = parser().parse_args(argv)
    try:
        code: int = a.run(a)
        return code
    except base.Missing as missing:
        base.say(f"devcluster: {missing}")
        return 3
    except base.Failed as failed:
        base.say(f"devcluster: {failed}")
        return 1
