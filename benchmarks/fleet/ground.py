# SPDX-License-Identifier: Apache-2.0
"""What the operator's benchmarks stand on: an API server with KubeVirt's CRDs, sellers, the operator as a process.

The operator runs as it does in production, as cluster-admin here: rights are another test's matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import aiohttp
import yaml

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / part) for part in ("operator", "tests", "tests/devcluster")]

from cairn.api.crd import CRDS  # noqa: E402
from cairn.api.resources import Obj, Resource, ref_of  # noqa: E402
from cairn.api.text import to_yaml  # noqa: E402
from devcluster import ControlPlane  # noqa: E402

IMAGES = "cairn-images"
SYSTEM = "cairn-system"
APPLY = "application/apply-patch+yaml"


def platform(**more: Any) -> Obj:
    return {
        "namespace": SYSTEM,
        "currency": "CNY",
        "virtualMachines": {"imageNamespace": IMAGES, "snapshotClass": "csi-dev"},
        **more,
    }


def plans() -> list[Obj]:
    """For sellers with room for everything, and two sizes of machines."""

    def plan(name: str, kind: str, rank: int, **size: str) -> Obj:
        spec: Obj = {"for": kind, "size": size, "rank": rank}
        if kind == "Seller":
            spec["peak"] = {"cpu": "4000", "memory": "16Ti", "storage": "500Ti"}
        price = {"name": "2026", "from": "2026-01-01", "monthly": "300", "hourly": "0.5"}
        return _object("ServicePlan", name, "", {**spec, "prices": [price]})

    return [
        plan("seller.bench", "Seller", 0, cpu="4000", memory="16Ti", storage="500Ti"),
        plan("vm.small", "SellerVM", 10, cpu="1", memory="1Gi", storage="10Gi"),
        plan("vm.large", "SellerVM", 20, cpu="2", memory="2Gi", storage="10Gi"),
    ]


def seller(number: int) -> Obj:
    spec = {"id": str(700000 + number), "namespace": f"seller-{700000 + number}", "planRef": {"name": "seller.bench"}}
    return _object("Seller", f"bench-{number}", "", spec)


def machine(namespace: str, name: str, **more: Any) -> Obj:
    spec = {
        "planRef": {"name": "vm.small"},
        "image": {"name": "debian-12"},
        "ports": [{"name": "web", "port": 8080}],
        **more,
    }
    return _object("SellerVM", name, namespace, spec)


def _object(kind: str, name: str, namespace: str, spec: Obj) -> Obj:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "cairn.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


class Api:
    """A bare client: as many requests at a time as asked for, nothing else."""

    def __init__(self, plane: ControlPlane, at_once: int = 32) -> None:
        pki = plane.directory / "pki"
        tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._session = aiohttp.ClientSession(plane.server, connector=aiohttp.TCPConnector(ssl=tls, limit=at_once))

    async def close(self) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Obj:
        async with self._session.get(path, params=query) as answer:
            answer.raise_for_status()
            return dict(await answer.json())

    async def create(self, obj: Obj) -> Obj:
        ref = ref_of(obj)
        path = ref.resource.path(ref.namespace or None)
        async with self._session.post(path, json=obj) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{ref}: {answer.status} {await answer.text()}")
            return dict(await answer.json())

    async def apply(self, obj: Obj) -> None:
        ref = ref_of(obj)
        path = ref.resource.path(ref.namespace or None, ref.name)
        query = {"fieldManager": "bench", "force": "true"}
        body, headers = json.dumps(obj), {"Content-Type": APPLY}
        async with self._session.patch(path, params=query, data=body, headers=headers) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{ref}: {answer.status} {await answer.text()}")
            await answer.read()

    async def patch_status(self, resource: Resource, namespace: str, name: str, status: Obj) -> None:
        path = resource.path(namespace, name, "status")
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._session.patch(path, data=json.dumps({"status": status}), headers=headers) as answer:
            answer.raise_for_status()

    async def count(self, resource: Resource, labels: str = "") -> int:
        """How many there are. Without a selector this costs the server next to nothing."""
        page = await self.get(resource.path(), **({"labelSelector": labels} if labels else {"limit": "1"}))
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)


async def each(work: Iterable[Awaitable[Any]], at_once: int) -> None:
    """All of it, so many at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(piece: Awaitable[Any]) -> None:
        async with gate:
            await piece

    async with asyncio.TaskGroup() as tasks:
        for piece in work:
            tasks.create_task(one(piece))


async def until(what: str, check: Callable[[], Awaitable[Any]], seconds: float, every: float = 0.5) -> None:
    """Await a condition of the cluster. TimeoutError that says which."""
    try:
        async with asyncio.timeout(seconds):
            while not await check():  # noqa: ASYNC110 - the cluster has no event of ours
                await asyncio.sleep(every)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {seconds:g} s") from None


async def furnish(plane: ControlPlane, api: Api, sellers: int) -> None:
    """Cairn's CRDs, plans, sellers and the image that all machines are made from."""
    plane.kubectl("apply", "--server-side", "-f", "-", input=to_yaml(*(crd.manifest() for crd in CRDS)))
    plane.kubectl("wait", "--for=condition=Established", *(f"crd/{crd.name}" for crd in CRDS), "--timeout=60s")
    for name in (SYSTEM, IMAGES):
        await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    source = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataSource"}
    pvc = {"source": {"pvc": {"name": "debian-12", "namespace": IMAGES}}}
    await api.create({**source, "metadata": {"name": "debian-12", "namespace": IMAGES}, "spec": pvc})
    await each((api.create(obj) for obj in (*plans(), *map(seller, range(sellers)))), 8)


class Operator:
    """`cairn operator` as a process. Its log stands beside the control plane's."""

    def __init__(self, plane: ControlPlane, settings: Obj, **options: str) -> None:
        self._directory, self._options = plane.directory, options
        self._config = plane.directory / "platform.yaml"
        self._config.write_text(yaml.safe_dump(settings))
        self._kubeconfig = plane.kubeconfig
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Operator:
        options = [word for key, value in self._options.items() for word in (f"--{key}", value)]
        with (self._directory / "operator.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cairn", "operator", "--config", str(self._config), "--port", "0",
                "--host", "127.0.0.1", "--kubeconfig", str(self._kubeconfig), *options,
                stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(TREE / "operator")},
            )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), 30)
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def pid(self) -> int:
        assert self._process
        assert self._process.returncode is None, "the operator has ended: see operator.log"
        return self._process.pid

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024


async def stands(api: Api, resource: Resource, count: int, *, ready: bool = False) -> bool:
    """Whether so many objects have a status (and Ready=True)."""
    items = (await api.get(resource.path()))["items"]
    conditions = [item.get("status", {}).get("conditions", []) for item in items]
    good = [c for c in conditions if c and (not ready or (c[0]["type"], c[0]["status"]) == ("Ready", "True"))]
    return len(good) >= count


def writes(plane: ControlPlane, since: float, agent: str = "cairn/") -> tuple[int, int]:
    """(writes, answers 429) since a moment, by the API server's audit log. Leases and events don't count."""
    written = throttled = 0
    for event in plane.audit_events():
        at = _moment(event["requestReceivedTimestamp"])
        if event.get("stage") != "ResponseComplete" or at < since:
            continue
        throttled += event.get("responseStatus", {}).get("code") == 429
        if not event.get("userAgent", "").startswith(agent) or event["verb"] in ("get", "list", "watch"):
            continue
        written += event.get("objectRef", {}).get("resource") not in ("leases", "events")
    return written, throttled


def _moment(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@contextlib.asynccontextmanager
async def fleet(directory: Path, sellers: int, *, kubevirt: bool) -> AsyncIterator[tuple[ControlPlane, Api]]:
    """An API server with sellers whose namespaces stand. `kubevirt`: with its webhooks and controllers at work."""
    with ControlPlane.start(directory, name="bench", kubevirt=kubevirt) as plane:
        if not kubevirt:
            from cairn_devcluster import kubevirt_plane

            kubevirt_plane.install(plane)
        api = Api(plane)
        try:
            await furnish(plane, api, sellers)
            yield plane, api
        finally:
            await api.close()


def report(path: Path, found: Obj) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found) + "\n")
    print(json.dumps(found))


def said(started: float, what: str) -> None:
    print(f"  {time.monotonic() - started:6.1f} s  {what}", file=sys.stderr, flush=True)
