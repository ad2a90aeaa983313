# SPDX-License-Identifier: Apache-2.0
"""A cluster that has no KubeVirt: the operator runs, machines say what is missing, and nothing is half made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cairn.api.resources import NETWORKPOLICY, SELLERVM, SERVICE
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cluster.conftest import install_crds
from cluster.vm.conftest import NAMESPACE, PLANS, SELLER, Stand
from devcluster import ControlPlane


@pytest.fixture(scope="module")
def bare_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane.start(tmp_path_factory.mktemp("bare"), name="bare") as plane:
        install_crds(plane)
        plane.kubectl("create", "clusterrole", "cairn-seller-namespace", "--verb=get", "--resource=secrets")
        yield plane


async def test_machine_says_that_kubevirt_is_missing_and_makes_nothing(bare_plane: ControlPlane) -> None:
    transport = KubernetesTransport(await load_configuration(str(bare_plane.kubeconfig), None))
    stand = Stand(bare_plane, Cluster(transport))
    try:
        await stand.apply(*PLANS, SELLER)
        await stand.settle()
        await stand.machine("lonely", ports=[{"name": "web", "port": 80}])
        ready = await stand.condition("lonely", "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "KubeVirtMissing")
        assert "install KubeVirt 1.7 or newer" in ready["message"]
        for resource in (NETWORKPOLICY, SERVICE):
            found = await stand.cluster.list(resource, namespace=NAMESPACE)
            assert not [obj for obj in found if obj["metadata"]["name"].startswith("lonely")]
        live = await stand.get(SELLERVM, "lonely")
        assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
    finally:
        await transport.close()
