# SPDX-License-Identifier: Apache-2.0
"""The pool on a real API server, with the rights that the chart gives it, a real bus and a real database, under load.

Members come, die and go, and the subscription moves out of the pool: nothing is lost.
"""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest_asyncio

from cairn.api.platform import Platform
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import Obj
from cairn.cli.pool import ApiNamespace
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.io import OwnerIo
from cairn.engine.kind import Action, Observed
from cairn.pool import leases
from cairn.pool.assign import Claim
from cairn.push.act import Scene, act
from cluster.caller import Caller
from cluster.charted import POOL, SELLER, Charted, until
from data.fixtures import admin, admin_conn, bus, conn, database, plane, postgresql
from data.plane import CONSUMER, Program
from data.servers import free_port
from faults.run import Run

__all__ = ["admin", "admin_conn", "bus", "conn", "database", "plane", "postgresql"]

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{POOL}/leases"
SECRETS = f"/api/v1/namespaces/{POOL}/secrets"
LEASE = f"{LEASES}/{CONSUMER}"


class Pool:
    """Its members as processes, each with the token of the pool's ServiceAccount."""

    def __init__(self, run: Run, cluster: Charted, home: Path) -> None:
        self.run, self.cluster, self.home = run, cluster, home
        token = cluster.token(POOL, "cairn-pool")
        self.kubeconfig = cluster.kubeconfig(home / "pool.conf", token, POOL)

    def member(self, name: str) -> Program:
        port = free_port()
        arguments = ["-m", "cairn", "pool", f"--namespace={POOL}", f"--name={name}", f"--port={port}"]
        arguments += [f"--directory={self.home / name}", f"--kubeconfig={self.kubeconfig}"]
        program = Program(name, arguments, self.run.plane.home, port)
        self.run.plane.programs.append(program)
        program.start()
        return program

    async def lend(self, config: str = "1") -> None:
        """As the operator does, with its rights."""
        plane = self.run.plane
        settings = plane.config(0)
        settings["bus"]["credsFile"] = "./user.creds"
        settings["database"] |= {f"{key}File": f"./{file}" for key, file in _FILES.items()}
        files = {
            "user.creds": plane.bus.worker_creds(CONSUMER),
            "username": plane.push.user,
            "password": plane.push.password,
            "ca.crt": (plane.push.ca or b"").decode(),
            "rights": "what only the operator reads",
        }
        data = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
        secret = {"metadata": {"name": "orders-push"}, "data": data}
        made = self.cluster.admin.create(f"/api/v1/namespaces/{SELLER}/secrets", secret)
        assert made.ok or made.status == 409, made
        notes = leases.wishes(config, Claim(100, 256 * 1024 * 1024), wanted=True)
        args = {"name": CONSUMER, "secret": "orders-push", "settings": json.dumps(settings), "notes": notes}
        await self.do("lend", args)

    async def do(self, name: str, args: Obj) -> None:
        """A deed of the operator's."""
        kubeconfig = self.cluster.kubeconfig(self.home / "operator.conf", self.cluster.operator.token, POOL)
        cluster = Cluster(KubernetesTransport(await load_configuration(str(kubeconfig), None)))
        try:
            io = OwnerIo(cluster, SUBSCRIPTION, lambda _ref, _obj: None)
            push = PushSubscription.model_validate(SUBSCRIPTION)
            await act(Action(name, args), Scene(push, Observed({}, {}), io, Platform(), {}))
        finally:
            await cluster.close()

    @property
    def lease(self) -> Obj:
        return self.cluster.admin.get(LEASE).body

    @property
    def holder(self) -> str:
        return leases.holder(self.lease)

    def ready(self, *members: str) -> str:
        """Who has it, once its worker reads and writes there."""
        found = until(
            lambda: leases.slot(self.lease),
            lambda slot: slot.ready and slot.holder in members,
            seconds=60,
        )
        return found.holder

    def clear(self) -> None:
        for path in (LEASES, SECRETS):
            for one in self.cluster.admin.get(path).body.get("items", []):
                self.cluster.admin.delete(f"{path}/{one['metadata']['name']}")


SUBSCRIPTION: Obj = {
    "apiVersion": "cairn.dev/v1alpha1",
    "kind": "PushSubscription",
    "metadata": {"name": "orders", "namespace": SELLER, "uid": "uid-1"},
    "spec": {"databaseRef": {"name": "shop-db"}, "databaseName": "shop", "shops": ["55501"]},
}
_FILES = {"username": "username", "password": "password", "ca": "ca.crt"}


@pytest_asyncio.fixture
async def pool(plane: Any, charted: Charted, tmp_path: Path) -> AsyncIterator[Pool]:
    run = Run(plane)
    made = Pool(run, charted, tmp_path)
    try:
        yield made
    finally:
        run.close()
        plane.close()
        made.clear()


async def test_members_come_die_and_go_and_the_subscription_moves_out_without_loss(pool: Pool) -> None:
    run = pool.run
    run.plane.worker().start()
    run.start_load(seed=7)
    await run.accepted(100)

    own = run.plane.programs[-1]
    own.stop()  # into the pool: its own worker ends first
    await pool.lend()
    assert "rights" not in pool.cluster.admin.get(f"{SECRETS}/{CONSUMER}").body["data"]
    lease = pool.cluster.admin.get(LEASE).body
    lease["spec"]["leaseDurationSeconds"] = 9  # a dead member is not waited for as long as in life
    assert pool.cluster.admin("PUT", LEASE, lease).ok
    first = {"pool-a": pool.member("pool-a")}
    assert pool.ready("pool-a") == "pool-a"
    assert (
        first["pool-a"].get("/seller-2088/orders/v1/statistics?date=20261111") == 400
    )  # by its worker: there is nothing to compare with
    assert first["pool-a"].metric("cairn_pool_subscriptions") == 1
    await run.accepted(100)

    first["pool-a"].process.send_signal(signal.SIGKILL)  # type: ignore[union-attr]
    first["pool-a"].process.wait()  # type: ignore[union-attr]
    second = pool.member("pool-b")
    assert pool.ready("pool-b") == "pool-b"
    await run.accepted(100)

    third = pool.member("pool-c")
    leave_while_the_worker_hangs(pool, second)
    assert pool.ready("pool-c") == "pool-c"
    names = {one["metadata"]["name"] for one in pool.cluster.admin.get(LEASES).body["items"]}
    assert "pool-b" not in names
    await pool.lend("2")  # other settings: the same member starts the worker anew
    until(lambda: leases.slot(pool.lease), lambda slot: not slot.ready)
    assert pool.ready("pool-c") == "pool-c"
    await run.accepted(100)

    await pool.do("halt", {"name": CONSUMER})  # out of the pool: its worker there ends first
    until(lambda: pool.holder, lambda holder: not holder, seconds=60)
    assert third.metric("cairn_pool_subscriptions") == 0
    await pool.do("withdraw", {"name": CONSUMER})
    assert pool.cluster.admin.get(LEASE).status == pool.cluster.admin.get(f"{SECRETS}/{CONSUMER}").status == 404
    run.plane.worker().start()
    await run.accepted(100)
    await run.judge()


def leave_while_the_worker_hangs(pool: Pool, member: Program) -> None:
    """The worker takes longer to end than its Lease holds without renewal: nobody else has it for so long."""
    assert member.process is not None
    (worker,) = _children(member.process.pid)
    last = pool.lease["spec"]["renewTime"]
    os.kill(worker, signal.SIGSTOP)
    member.process.send_signal(signal.SIGTERM)
    seconds = 2 * pool.lease["spec"]["leaseDurationSeconds"]
    lease = until(
        lambda: pool.lease,
        lambda lease: leases.holder(lease) != member.name or _later(last, lease["spec"]["renewTime"]) > seconds,
        seconds=60,
    )
    assert leases.holder(lease) == member.name
    os.kill(worker, signal.SIGCONT)
    assert member.process.wait(90) == 0  # it ends a worker itself after 45 s
    member.process = None
    until(lambda: pool.holder, lambda holder: holder != member.name)


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _later(one: str, other: str) -> float:
    """Seconds from one time to the other."""
    return (datetime.fromisoformat(other) - datetime.fromisoformat(one)).total_seconds()


async def test_of_two_members_who_take_one_lease_the_slower_one_has_it_not(pool: Pool) -> None:
    await pool.lend()
    both = Cluster(KubernetesTransport(await load_configuration(str(pool.kubeconfig), None)))
    try:
        place = ApiNamespace(both, POOL)
        (lease,) = await place.leases()
        now = datetime.now(UTC)
        assert await place.replace(leases.held(lease, "pool-a", now, {}))
        assert await place.replace(leases.held(lease, "pool-b", now, {})) is None
        assert pool.holder == "pool-a"
    finally:
        await both.close()


def test_pool_may_read_no_list_of_secrets_and_nothing_elsewhere(charted: Charted) -> None:
    caller = Caller(charted.admin.server, charted.admin.pki, token=charted.token(POOL, "cairn-pool"))
    for method, path in (
        ("GET", SECRETS),
        ("GET", "/api/v1/namespaces/cairn-system/secrets/cairn-bus-account"),
        ("GET", "/api/v1/namespaces/seller-2088/secrets/orders-push"),
        ("GET", "/apis/cairn.dev/v1alpha1/pushsubscriptions"),
        ("DELETE", f"{SECRETS}/any"),
    ):
        assert caller(method, path).status == 403, path
