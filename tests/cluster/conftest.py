# SPDX-License-Identifier: Apache-2.0
"""The API servers of this folder's tests, one start each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cairn.api.crd import CRDS
from cairn.api.text import to_yaml
from cairn_devcluster.oidc import Provider
from cluster.caller import Caller
from cluster.charted import OPERATOR_SUBJECT, OTHER, ROLES, Charted, binding, charted_cluster
from cluster.people import authentication
from devcluster import Cluster, ControlPlane, MissingError


def install_crds(plane: ControlPlane | Cluster) -> None:
    crds = [crd.manifest() for crd in CRDS]
    plane.kubectl("apply", "--server-side", "-f", "-", input=to_yaml(*crds))
    names = [f"crd/{crd.name}" for crd in CRDS]
    plane.kubectl("wait", "--for=condition=Established", *names, "--timeout=30s")


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with nothing of Cairn but its CRDs. Tests that stop it start one of their own."""
    with ControlPlane.start(tmp_path_factory.mktemp("control-plane"), name="test") as running:
        install_crds(running)
        yield running


@pytest.fixture(scope="session")
def admin(control_plane: ControlPlane) -> Caller:
    """Its API as cluster-admin."""
    return Caller(control_plane.server, control_plane.directory / "pki")


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """The OpenID provider whose tokens the charted control plane takes."""
    with Provider(tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture(scope="session")
def charted(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Charted]:
    """A control plane with charts/cairn installed."""
    with charted_cluster(tmp_path_factory.mktemp("charted"), authentication(provider)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kubevirt_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with KubeVirt's webhooks and controllers, CDI's and HTTPRoute's CRDs, and Cairn's own."""
    try:
        running = ControlPlane.start(tmp_path_factory.mktemp("kubevirt"), name="kubevirt", kubevirt=True)
    except MissingError as missing:
        pytest.skip(str(missing))
    with running:
        install_crds(running)
        yield running


@pytest.fixture(scope="session")
def other(charted: Charted) -> str:
    """A namespace that is no Seller's, where the operator nevertheless has write rights: a stolen binding."""
    charted.make_namespace(OTHER)
    body = binding("stolen", "cairn-seller-namespace", OPERATOR_SUBJECT)
    assert charted.admin.create(f"{ROLES}/namespaces/{OTHER}/rolebindings", body).ok
    return OTHER
