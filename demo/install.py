# SPDX-License-Identifier: Apache-2.0
"""Brings Cairn and the first order's objects up on the demo's cluster, and waits until all of it says Ready."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping

from demo import platform
from demo.faults import NAMESPACE, SUBSCRIPTION
from demo.steps import DemoError, awaited, step
from demo.target import TREE, Obj, Target

EXAMPLE = TREE / "examples" / "first-order"
SYSTEM = "cairn-system"
REPOSITORY = "cairn.local/cairn"
HISTORY_DAYS = 90
KINDS = ("serviceplans", "sellers", "sellerrdses", "pushsubscriptions")


def tree_tag() -> str:
    """A tag that changes with the code, so that a second `make demo` rolls out what changed and nothing else."""
    digest = hashlib.sha256((TREE / "requirements.lock").read_bytes())
    for path in sorted((TREE / "operator").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(TREE)).encode() + b"\0" + path.read_bytes())
    return f"demo-{digest.hexdigest()[:12]}"


def install(target: Target) -> None:
    """Everything up to Ready. Each step may be repeated on a demo that stands already."""
    tag = tree_tag()
    with step("cluster"):
        target.up()
    with step("operator image from this tree"):
        target.load(f"{REPOSITORY}:{tag}")
    with step("Secrets of the bus"):
        bus_secrets(target)
    with step("a platform, and what it has of the seller's orders"):
        platform.install(target, f"{REPOSITORY}:{tag}")
        platform.tell(target, platform.history(target))
    with step("helm install charts/cairn"):
        source = {"push.source.url": platform.URL, "push.source.networks[0]": platform.NETWORKS}
        chart(target, tag, source)
    with step("examples/first-order, with its history"):
        # The namespace is Cairn's to make: what is in it is refused until the Seller is Ready.
        target.kubectl("apply", "-k", str(EXAMPLE), check=False)
        awaited("the Seller", lambda: unready(target, *KINDS[:2]), seconds=120)
        target.kubectl("apply", "-k", str(EXAMPLE))
        wanted = {"spec": {"history": {"days": HISTORY_DAYS, "maxRowsPerSecond": 1000}, "audit": {"repair": True}}}
        patch = ("patch", "pushsubscription", "-n", NAMESPACE, SUBSCRIPTION, "--type=merge", "-p", json.dumps(wanted))
        target.kubectl(*patch)
        awaited("the objects of the example", lambda: unready(target, *KINDS), seconds=300)


def bus_secrets(target: Target) -> None:
    target.kubectl(
        "apply", "-f", "-", stdin=f'{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{SYSTEM}"}}}}'
    )
    if target.get("secret", "-n", SYSTEM, "cairn-bus-account"):
        return  # new keys would lock out the workers that have the old ones
    target.kubectl("apply", "-n", SYSTEM, "-f", "-", stdin=cairn("bus", "init", "--namespace", SYSTEM))


def cairn(*args: str) -> str:
    """What Cairn's command line of this tree prints."""
    environment = os.environ | {"PYTHONPATH": str(TREE / "operator")}
    command = [sys.executable, "-m", "cairn", *args]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=60)
    if done.returncode:
        raise DemoError(f"cairn {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def chart(target: Target, tag: str, more: Mapping[str, str] | None = None) -> None:
    """more: further values."""
    values = {
        "image.repository": REPOSITORY,
        "image.tag": tag,
        "images.postgresql": target.postgresql_image,
        "nats.enabled": "true",
        "nats.image": target.nats_image,
        "gateway.replicas": "1",
        "gateway.service.type": target.service_type,
        "virtualMachines.createImageNamespace": str(not target.has_images).lower(),
        **(more or {}),
    }
    if target.snapshot_class:
        values["virtualMachines.snapshotClass"] = target.snapshot_class
    typed = {"true", "false", "1"}
    pairs = [f"--set-string={key}={value}" for key, value in values.items() if value not in typed]
    pairs += [f"--set={key}={value}" for key, value in values.items() if value in typed]
    target.helm("upgrade", "--install", "cairn", str(TREE / "charts" / "cairn"), "--namespace", SYSTEM, *pairs)
    for what in ("statefulset/cairn-nats", "deployment/cairn-operator", "deployment/cairn-gateway"):
        awaited(what, lambda what=what: not_rolled_out(target, what), seconds=300)  # type: ignore[misc]  # mypy can't infer a default's type


def not_rolled_out(target: Target, what: str) -> str:
    found = target.get("-n", SYSTEM, what)
    if found is None:
        return "not there"
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    current = status.get("observedGeneration", 0) >= found["metadata"]["generation"]
    ready = min(status.get("readyReplicas", 0), status.get("updatedReplicas", 0)) if current else 0
    if ready >= wanted and status.get("replicas", 0) == wanted:
        return ""
    return f"{ready} of {wanted} ready{_pod_trouble(target, what)}"


def _pod_trouble(target: Target, what: str) -> str:
    """Why containers of the workload wait, in the kubelet's words."""
    component = what.rpartition("-")[2]
    pods = (target.get("pod", "-n", SYSTEM, "-l", f"app.kubernetes.io/component={component}") or {}).get("items", [])
    waiting = [
        state["reason"]
        for pod in pods
        for one in pod["status"].get("containerStatuses", [])
        if (state := one["state"].get("waiting")) and state.get("reason") != "ContainerCreating"
    ]
    return f" ({', '.join(sorted(set(waiting)))})" if waiting else ""


def unready(target: Target, *wheres: str) -> str:
    """What is not Ready yet, each with its condition's reason and message."""
    texts: list[str] = []
    for kinds in wheres:
        found: list[Obj] = (target.get("-A", kinds) or {}).get("items", [])
        texts += [text for one in found if (text := _reason(one))] if found else [f"no {kinds}"]
    return "; ".join(texts)


def _reason(one: Obj) -> str:
    name = f"{one['kind']}/{one['metadata']['name']}"
    status = one.get("status", {})
    ready = next((c for c in status.get("conditions", []) if c["type"] == "Ready"), None)
    if ready is None or status.get("observedGeneration") != one["metadata"]["generation"]:
        return f"{name} (not seen yet)"
    return "" if ready["status"] == "True" else f"{name} ({ready['reason']}: {ready.get('message', '')})"
