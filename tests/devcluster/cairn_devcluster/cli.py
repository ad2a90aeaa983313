# SPDX-License-Identifier: Apache-2.0
"""The command line."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

from . import base, build, controlplane, databases, images, kafka, kubevirt_cluster, modules
from .cluster import Cluster
from .controlplane import ControlPlane

_MODULES = {
    "all": modules.EVERY,
    "nodes": modules.ALL,
    "kubevirt-plane": (*modules.CONTROL_PLANE, *modules.KUBEVIRT_PLANE, modules.OIDC),
    "controlplane": modules.CONTROL_PLANE,
    "peer": (modules.PEER,),
}


def _build(a: argparse.Namespace) -> None:
    if a.what == "databases":
        databases.build_all()
        return
    if a.what in ("all", "kafka"):
        kafka.jars()
    if a.what == "kafka":
        return
    build.build(*_MODULES["nodes" if a.what == "all" and not kubevirt_cluster.supported() else a.what])
    if a.what in ("all", "nodes"):
        images.build_all()
    if a.what == "all" and kubevirt_cluster.supported():
        kubevirt_cluster.images()


def _up(a: argparse.Namespace) -> None:
    began = time.monotonic()
    if not a.control_plane:
        Cluster(a.name).up(audit=a.audit, node_grace=a.node_grace, kubevirt=a.kubevirt)
    elif controlplane.running(base.run_dir(a.name)):
        base.say(f"{a.name} is up already")
    elif Cluster(a.name).running():
        raise base.StepError(f"{a.name} runs with nodes: down first, or another --name")
    else:
        ControlPlane.start(base.run_dir(a.name), name=a.name, detached=True, audit=a.audit, kubevirt=a.kubevirt)
    base.say(f"{a.name} up: {time.monotonic() - began:.1f} s; export KUBECONFIG={base.run_dir(a.name) / 'admin.conf'}")


def _down(a: argparse.Namespace) -> None:
    controlplane.end_left_over(base.run_dir(a.name))
    Cluster(a.name).down()


def _wipe(a: argparse.Namespace) -> None:
    _down(a)
    shutil.rmtree(base.run_dir(a.name), ignore_errors=True)


def _status(_: argparse.Namespace) -> None:
    for directory in sorted(p for p in (base.cache() / "run").glob("*") if p.is_dir()):
        nodes = []
        if (directory / "slot").exists():
            nodes = [n.name for n in Cluster(directory.name).running()]
        elif controlplane.running(directory):
            nodes = ["control plane only"]
        print(f"{directory.name}: {'up (' + ', '.join(nodes) + ')' if nodes else 'down'} {directory / 'admin.conf'}")


def _kubeconfig(a: argparse.Namespace) -> None:
    path: Path = base.run_dir(a.name) / "admin.conf"
    if not path.exists():
        raise base.MissingError(f"no cluster {a.name}: devcluster.py up --name {a.name}")
    print(path)


def _path(a: argparse.Namespace) -> None:
    print(build.binary(a.binary))


def _exec(a: argparse.Namespace) -> None:
    cluster = Cluster(a.name)
    line = cluster.exec_command(*(a.command or ["bash"]), node=a.node)
    os.execvpe(line[0], line, cluster.environment())


def _operator_image(a: argparse.Namespace) -> None:
    tar = images.operator_image(a.ref)
    cluster = Cluster(a.name)
    if cluster.kubeconfig.exists():
        cluster.import_image(tar)
    print(tar)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="devcluster.py", description="A real Kubernetes from packages alone.")
    sub = p.add_subparsers(required=True, metavar="COMMAND")
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument("--name", default="dev", help="which cluster (default: %(default)s)")

    c = sub.add_parser("build", help="build binaries and images into the cache")
    c.add_argument("--what", choices=[*_MODULES, "databases", "kafka"], default="all")
    c.set_defaults(run=_build)
    c = sub.add_parser("up", parents=[named], help="start a cluster")
    c.add_argument("--control-plane", action="store_true", help="API server only: no root, no nodes")
    c.add_argument("--kubevirt", action="store_true", help="with KubeVirt and CDI")
    c.add_argument("--audit", action=argparse.BooleanOptionalAction, default=True, help="audit log (default: yes)")
    c.add_argument("--node-grace", default="50s", help="until a silent node is NotReady (default: %(default)s)")
    c.set_defaults(run=_up)
    c = sub.add_parser("down", parents=[named], help="stop a cluster; its state stays")
    c.set_defaults(run=_down)
    c = sub.add_parser("wipe", parents=[named], help="stop a cluster and delete its state")
    c.set_defaults(run=_wipe)
    c = sub.add_parser("status", help="list the clusters")
    c.set_defaults(run=_status)
    for name, text in (("addnode", "start a further node"), ("downnode", "power loss of a node")):
        c = sub.add_parser(name, parents=[named], help=text)
        c.add_argument("number", type=int)
        c.set_defaults(run=lambda a, name=name: getattr(Cluster(a.name), name)(a.number))
    c = sub.add_parser("exec", parents=[named], help="run a command in a node's namespaces")
    c.add_argument("--node", type=int, default=1)
    c.add_argument("command", nargs="*")
    c.set_defaults(run=_exec)
    c = sub.add_parser("kubeconfig", parents=[named], help="print the kubeconfig's path")
    c.set_defaults(run=_kubeconfig)
    c = sub.add_parser("import-image", parents=[named], help="import an OCI archive on every running node")
    c.add_argument("tar", type=Path)
    c.set_defaults(run=lambda a: Cluster(a.name).import_image(a.tar))
    c = sub.add_parser("operator-image", parents=[named], help="build the operator's image and import it if up")
    c.add_argument("--ref", default=images.OPERATOR_REF)
    c.set_defaults(run=_operator_image)
    c = sub.add_parser("path", help="print the path of a binary: kubectl, helm, nats-server, ...")
    c.add_argument("binary")
    c.set_defaults(run=_path)
    return p


def main(argv: list[str]) -> int:
    a = parser().parse_args(argv)
    try:
        a.run(a)
    except base.MissingError as missing:
        base.say(f"devcluster: {missing}")
        return 3
    except base.StepError as failed:
        base.say(f"devcluster: {failed}")
        return 1
    return 0
