# SPDX-License-Identifier: Apache-2.0
"""A real API server and a real PostgreSQL in one test: sellers with a database that their apps share."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from cairn.api.crd import CRDS
from cairn.api.platform import ExternalDatabases, Identity, Platform
from cairn.api.text import to_yaml
from cairn.engine.cluster import Cluster, KubernetesTransport, Transport, load_configuration
from cairn.sql.postgresql import Target
from cluster.tenant.estate import Estate, clear
from data.fixtures import admin, postgresql
from devcluster import ControlPlane

__all__ = ["admin", "postgresql"]
_numbers = itertools.count(2001)


@pytest.fixture(scope="session")
def tenant_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("tenants"), name="tenants") as plane:
        plane.kubectl("apply", "--server-side", "-f", "-", input=to_yaml(*[crd.manifest() for crd in CRDS]))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield plane


@pytest.fixture(scope="session")
def platform() -> Platform:
    """The database runs on loopback here, where production lets none be."""
    return Platform(
        external_databases=ExternalDatabases(denied_networks=()),
        identity=Identity(issuer="https://id.example.com"),
    )


@pytest.fixture
async def transport(tenant_plane: ControlPlane) -> AsyncIterator[Transport]:
    transport = KubernetesTransport(await load_configuration(str(tenant_plane.kubeconfig), None))
    yield transport
    await transport.close()


@pytest.fixture
async def cluster(transport: Transport, platform: Platform) -> AsyncIterator[Cluster]:
    """Ends with every object of Cairn's gone, so that the next test starts from nothing."""
    cluster = Cluster(transport)
    yield cluster
    await clear(cluster, platform)


@pytest.fixture
async def estate(cluster: Cluster, platform: Platform, postgresql: object, admin: Target) -> AsyncIterator[Estate]:
    """A seller with a database in which trades stand, and nobody who shares it yet."""
    estate = Estate(cluster, platform, str(next(_numbers)), admin)
    await estate.make()
    yield estate
    await estate.close()


@pytest.fixture
async def neighbour_estate(cluster: Cluster, platform: Platform, admin: Target) -> AsyncIterator[Estate]:
    """Another seller, with a database on the same server, and the same shop numbers on another platform."""
    estate = Estate(cluster, platform, str(next(_numbers)), admin, shop_platform="tmall")
    await estate.make()
    yield estate
    await estate.close()
