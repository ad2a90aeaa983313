# SPDX-License-Identifier: Apache-2.0
"""`make demo-promotion`: 11.11 in fast motion. Database, feed and machines rise before the start and come down after.

The operator runs with a clock of the demo's (see `clocked`), on a dev cluster of its own with KubeVirt, so that a guest
boots for every clone. What stood when is read from the cluster, not from what Cairn says of itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from demo import clocked, eleven
from demo.install import REPOSITORY, SYSTEM, bus_secrets, cairn, chart, not_rolled_out, tree_tag, unready
from demo.steps import DemoError, awaited, say, step
from demo.target import TREE, DevCluster, MissingError, Obj, StepError, Target

BUILD = TREE / "build" / "demo"
KINDS = ("sellers", "sellerrdses", "pushsubscriptions", "sellervms", "promotions")
SPEED = 360.0
LOOK_SECONDS = 1.0


class PromotionCluster(DevCluster):
    """The demo's dev cluster, with KubeVirt. There is no choice: a fast clock is for no other."""

    name = "demo-promotion"
    has_images = True
    snapshot_class = "csi-dev"

    def up(self) -> None:
        self.cluster.up(audit=False, kubevirt=True)
        self.programs()


class Timer:
    """The time on the operator's clock, as the demo set it."""

    def __init__(self, start: datetime, speed: float) -> None:
        self.start, self.speed, self.began = start, speed, datetime.now(UTC)

    def now(self) -> datetime:
        return self.start + (datetime.now(UTC) - self.began) * self.speed

    def environment(self) -> list[Obj]:
        values = {"CLOCK_START": self.start.isoformat(), "CLOCK_BEGAN": self.began.isoformat()}
        values["CLOCK_SPEED"] = str(self.speed)
        return [{"name": key, "value": value} for key, value in values.items()]


def set_clock(target: Target, timer: Timer) -> None:
    """Run the operator by this clock: the same image, the same settings, the demo's entry."""
    script = {"clocked.py": Path(clocked.__file__).read_text()}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "demo-clock"}, "data": script}
    target.kubectl("apply", "-n", SYSTEM, "-f", "-", stdin=json.dumps(config))
    container = {
        "name": "operator",
        "command": ["python3", "/demo/clocked.py"],
        "args": ["--config", "/etc/cairn/platform.yaml"],
        "env": timer.environment(),
        "volumeMounts": [{"name": "demo-clock", "mountPath": "/demo", "readOnly": True}],
    }
    volumes = [{"name": "demo-clock", "configMap": {"name": "demo-clock"}}]
    patch = {"spec": {"replicas": 1, "template": {"spec": {"containers": [container], "volumes": volumes}}}}
    target.kubectl("patch", "-n", SYSTEM, "deployment/cairn-operator", "--type=strategic", "-p", json.dumps(patch))
    awaited("the operator", lambda: not_rolled_out(target, "deployment/cairn-operator"), seconds=120)


def install(target: Target) -> None:
    tag = tree_tag()
    with step("cluster with KubeVirt"):
        target.up()
    with step("operator image from this tree"):
        target.load(f"{REPOSITORY}:{tag}")
    with step("Cairn, with its clock on the eve"):
        bus_secrets(target)
        # one of an earlier run has that run's clock in fields that are not Helm's
        target.kubectl("delete", "deployment", "-n", SYSTEM, "cairn-operator", "--ignore-not-found")
        chart(target, tag)
        set_clock(target, Timer(eleven.EVE, 1))
    with step("a seller with machine, database and feed"):
        made = yaml.safe_dump_all(eleven.objects())
        # The namespace is Cairn's to make: what is in it is refused until the Seller is Ready.
        target.kubectl("apply", "-f", "-", stdin=made, check=False)
        awaited("the Seller", lambda: unready(target, "sellers"), seconds=120)
        target.kubectl("apply", "-f", "-", stdin=made)
        awaited("all of it", lambda: unready(target, *KINDS), seconds=300)


def look(target: Target) -> Obj:
    """What stands at this moment, from pods and machines."""
    pods = (target.get("pods", "-n", eleven.NAMESPACE) or {}).get("items", [])
    machines = (target.get("virtualmachineinstances", "-n", eleven.NAMESPACE) or {}).get("items", [])
    slices = (target.get("endpointslices", "-n", eleven.NAMESPACE, "-l", "kubernetes.io/service-name=web") or {})[
        "items"
    ]
    answering = sum(
        bool(endpoint.get("conditions", {}).get("ready")) for one in slices for endpoint in one.get("endpoints") or ()
    )
    running = [one for one in machines if one.get("status", {}).get("phase") == "Running"]
    names = {one["metadata"]["name"] for one in running}
    return {
        "database": _size(pods, "postgresql"),
        "feed": _size(pods, "worker"),
        "machines": {"running": len(running), "behind_service": answering, "base": "web" in names},
    }


def _size(pods: list[Obj], container: str) -> Obj:
    """What the kubelet has allotted to the program in it."""
    for pod in pods:
        for status in pod.get("status", {}).get("containerStatuses", ()):
            if status["name"] == container and "running" in status.get("state", {}):
                requests = (status.get("resources") or {}).get("requests", {})
                return {"cpu": requests.get("cpu"), "memory": requests.get("memory")}
    return {}


def play(target: Target, timer: Timer) -> list[Obj]:
    """Look on until a while after the promotion. One sample a second."""
    samples: list[Obj] = []
    before: Obj = {}
    until = eleven.OVER + timedelta(seconds=120 * timer.speed)
    while (at := timer.now()) < until:
        seen = look(target)
        samples.append({"at": at.astimezone(eleven.START.tzinfo).isoformat(timespec="minutes"), **seen})
        if seen != before:
            before = seen
            say(f"  {at.astimezone(eleven.START.tzinfo):%m-%d %H:%M}  {_line(seen)}")
        if at > eleven.OVER and _low(seen):
            break
        time.sleep(LOOK_SECONDS)
    return samples


def _line(seen: Obj) -> str:
    machines, database, feed = seen["machines"], seen["database"], seen["feed"]
    return (
        f"database {database.get('cpu', '-')}/{database.get('memory', '-')}, feed {feed.get('cpu', '-')}"
        f"/{feed.get('memory', '-')}, machines {machines['running']}, {machines['behind_service']} behind the Service"
    )


def _high(seen: Obj) -> bool:
    machines = seen["machines"]["behind_service"] == eleven.CLONES + 1
    return bool(
        machines and seen["database"] == {"cpu": "400m", "memory": "512Mi"} and seen["feed"].get("cpu") == "400m"
    )


def _low(seen: Obj) -> bool:
    machines = seen["machines"]["running"] == seen["machines"]["behind_service"] == 1
    return bool(
        machines and seen["database"] == {"cpu": "250m", "memory": "256Mi"} and seen["feed"].get("cpu") == "200m"
    )


def judge(samples: list[Obj]) -> dict[str, bool]:
    """What must be true of such a day."""

    def during(since: datetime, until: datetime, good: Callable[[Obj], bool]) -> bool:
        seen = [one for one in samples if since <= datetime.fromisoformat(one["at"]) < until]
        return bool(seen) and all(good({key: one[key] for key in one if key != "at"}) for one in seen)

    end = eleven.START + eleven.LASTS
    return {
        "small_before": during(eleven.EVE, eleven.START - eleven.WARM_UP, _low),
        "up_from_start_to_end": during(eleven.START, end, _high),
        "small_afterwards": bool(samples) and _low({key: samples[-1][key] for key in samples[-1] if key != "at"}),
        "base_throughout": all(one["machines"]["base"] for one in samples),
    }


def picture(directory: Path) -> Path:
    files, svg = directory / "promotion.yaml", directory / "promotion.svg"
    files.write_text(yaml.safe_dump_all(eleven.objects()))
    since, until = eleven.EVE - timedelta(hours=6), eleven.OVER + timedelta(hours=12)
    cairn("calendar", str(files), "--from", f"{since:%Y-%m-%d}", "--to", f"{until:%Y-%m-%d}", "--svg", str(svg))
    return svg


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo-promotion", description=__doc__)
    parser.add_argument("--speed", type=float, default=SPEED, help=f"how fast its clock runs (default {SPEED:g})")
    parser.add_argument("--down", action="store_true", help="take the demo down")
    args = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        target = PromotionCluster()
        if args.down:
            with step("taking the demo down"):
                target.down()
            return 0
        install(target)
        svg = picture(BUILD)
        with step(f"11.11, {args.speed:g} times as fast"):
            timer = Timer(eleven.EVE, args.speed)
            set_clock(target, timer)
            samples = play(target, timer)
        checks = judge(samples)
    except MissingError as missing:
        say(str(missing))
        return 3
    except (DemoError, StepError) as failed:
        say(f"the demo can't go on: {failed}")
        return 1
    report = {"speed": args.speed, "start": eleven.START.isoformat(), "checks": checks, "samples": samples}
    (BUILD / "promotion.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(checks))
    print(f"size over time: {BUILD / 'promotion.json'}\ncalendar: {svg}\ntake it down: make demo-promotion-down")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
