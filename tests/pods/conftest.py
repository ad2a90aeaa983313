# SPDX-License-Identifier: Apache-2.0
"""The cluster with nodes that these tests share, up once per run."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import uuid
from collections.abc import Iterator

import pytest

from cairn_devcluster.workbench import Namespace, sysctls
from devcluster import Cluster, MissingError, cache


@contextlib.contextmanager
def own_name(base: str) -> Iterator[str]:
    """A cluster name that no other running test process uses: `tests`, else `tests-2` and so on."""
    runs = cache() / "run"
    runs.mkdir(parents=True, exist_ok=True)
    for number in range(1, 10):
        name = base if number == 1 else f"{base}-{number}"
        with (runs / f".{name}.owner").open("w") as owner, contextlib.suppress(BlockingIOError):
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield name
            return
    pytest.fail(f"all names {base} to {base}-9 are in use")


@contextlib.contextmanager
def fresh_cluster(base: str) -> Iterator[Cluster]:
    """A cluster without any state, not up yet; wiped at the end."""
    if platform.system() != "Linux" or os.geteuid() != 0:
        pytest.skip("needs root on Linux to run pods: run as root on Debian")
    with own_name(base) as name:
        cluster = Cluster(name)
        cluster.wipe()
        try:
            yield cluster
        finally:
            cluster.wipe()


@pytest.fixture(scope="session")
def sysctls_at_first() -> set[str]:
    """From before any cluster of this run was up."""
    return sysctls()


@pytest.fixture(scope="session")
def devcluster(sysctls_at_first: set[str]) -> Iterator[Cluster]:
    with fresh_cluster("tests") as cluster:
        try:
            cluster.up()
        except MissingError as missing:
            pytest.skip(str(missing))
        yield cluster


@pytest.fixture(scope="session")
def second_devcluster() -> Iterator[Cluster]:
    """One that is not up yet: tests start and stop it."""
    with fresh_cluster("tests-beside") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kubevirt_cluster(sysctls_at_first: set[str]) -> Iterator[Cluster]:
    """One with KubeVirt, CDI, and the image `guest`, from which machines boot."""
    with fresh_cluster("tests-kubevirt") as cluster:
        try:
            cluster.up(kubevirt=True)
        except MissingError as missing:
            pytest.skip(str(missing))
        yield cluster


@contextlib.contextmanager
def fresh_namespace(cluster: Cluster) -> Iterator[Namespace]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("--namespace", name, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    yield Namespace(cluster, name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def namespace(devcluster: Cluster) -> Iterator[Namespace]:
    with fresh_namespace(devcluster) as fresh:
        yield fresh
