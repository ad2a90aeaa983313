# SPDX-License-Identifier: Apache-2.0
"""The API servers of this folder's tests, one start each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cairn.api.crd import CRDS
from cairn.api.text import to_yaml
from cairn_devcluster.oidc import Provider
from cluster.caller import Caller
from cluster.charted import (
    APP,
    LABELS,
    OPERATOR_SUBJECT,
    OTHER,
    ROLES,
    SELLER,
    Charted,
    binding,
    charted_cluster,
    until,
)  # fmt: skip
from cluster.people import authentication
from cluster.staff import CLUSTER_ROLES, GROUPS
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


@pytest.fixture(scope="session")
def people(charted: Charted) -> dict[str, Caller]:
    """One person of each role, all bound by the operator's own account as the product does it."""
    for namespace in (SELLER, APP):
        for role, name in CLUSTER_ROLES.items():
            body = binding(f"cairn-main-{role}", name, {"kind": "Group", "name": GROUPS[role]})
            made = charted.operator.create(f"{ROLES}/namespaces/{namespace}/rolebindings", body)
            assert made.ok, made
    developers = {"kind": "Group", "name": GROUPS["developer"]}
    body = binding("cairn-developers", "cairn-isv-developer", developers)
    made = charted.operator.create(f"{ROLES}/namespaces/{APP}/rolebindings", body)
    assert made.ok, made
    callers = {role: charted.person("system:authenticated", group) for role, group in GROUPS.items()}
    path = "/apis/cairn.dev/v1alpha1/namespaces/{}/integrationapps"
    for role, caller in callers.items():
        if role != "finance":
            until(lambda caller=caller: caller.get(path.format(APP)), lambda a: a.ok)  # type: ignore[misc]
    return callers


@pytest.fixture(scope="session")
def neighbour(charted: Charted) -> str:
    """The namespace of another seller."""
    name = "seller-2099"
    labels = LABELS | {"cairn.dev/seller": "emca", "cairn.dev/seller-id": "2099"}
    assert charted.operator.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}}).ok
    body = binding("cairn-operator", "cairn-seller-namespace", OPERATOR_SUBJECT)
    until(lambda: charted.operator.create(f"{ROLES}/namespaces/{name}/rolebindings", body), lambda a: a.ok)
    until(lambda: charted.admin.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"), lambda a: a.ok)
    return name
