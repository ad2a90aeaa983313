# SPDX-License-Identifier: Apache-2.0
"""A tenant's whole life with the operator's own account, under the chart's rights and policies: they are enough, and
nothing of it needs more.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from cairn.api.platform import ExternalDatabases, Platform
from cairn.api.resources import INTEGRATIONTENANT, NAMESPACE, OPERATION, ROLEBINDING, Ref
from cairn.cli.kinds import kinds
from cairn.engine.cluster import Cluster, KubernetesTransport, Request, Response, load_configuration
from cairn.engine.loop import Engine
from cluster.caller import Caller
from cluster.charted import SELLER, Charted, charted_cluster, until
from cluster.samples import sample
from cluster.tenant.estate import CONFIRM, Estate, grant, names


class Recorder(KubernetesTransport):
    """Notes what is refused: a LIST of Secrets or RoleBindings would be (GHSA-fcxq-v2r3-cc8h)."""

    def __init__(self, configuration: Any) -> None:
        super().__init__(configuration)
        self.refused: list[str] = []

    async def send(self, request: Request) -> Response:
        answer = await super().send(request)
        if answer.status in (403, 422):
            self.refused.append(f"{request.method} {request.path}: {answer.body.get('message')}")
        return answer


class Guarded(Estate):
    """The estate, with two identities: a cluster admin who is everybody else, and the operator."""

    operator: Cluster
    account: Caller
    """The operator's, beside the recorder."""
    known = False

    async def settle(self, *, fresh: bool = False) -> None:
        if fresh or self.engine.cluster is not self.operator:
            self.engine = Engine(kinds(self.platform), self.operator, clock=self.clock)
        await super().settle()
        if not self.known:  # the API server learns of a new RoleBinding a moment after it stands
            path = f"/api/v1/namespaces/{self.namespace}/secrets/any"
            until(lambda: self.account.get(path), lambda answer: answer.status == 404, seconds=30)
            self.known = True


@pytest.fixture(scope="module")
def guarded_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Charted]:
    with charted_cluster(tmp_path_factory.mktemp("guarded")) as cluster:
        _owners_are_known(cluster)
        yield cluster


def _owners_are_known(cluster: Charted) -> None:
    """OwnerReferencesPermissionEnforcement learns of new kinds every 30 s, and refuses them as owners till then."""
    path = f"/apis/cairn.dev/v1alpha1/namespaces/{SELLER}/integrationtenants"
    owner = cluster.admin.create(path, sample("integrationtenants", "owner", SELLER)).body
    child = sample("configmaps", "owned", SELLER)
    reference = {k: owner[k] for k in ("apiVersion", "kind")} | {k: owner["metadata"][k] for k in ("name", "uid")}
    child["metadata"]["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]
    configmaps = f"/api/v1/namespaces/{SELLER}/configmaps?dryRun=All"
    until(lambda: cluster.operator.create(configmaps, child), lambda a: a.ok, seconds=60)
    assert cluster.admin.delete(f"{path}/owner").ok


async def configuration(charted: Charted) -> Any:
    return await load_configuration(str(charted.plane.kubeconfig), None)


@pytest.fixture
async def recorder(guarded_plane: Charted) -> AsyncIterator[Recorder]:
    settings = await configuration(guarded_plane)
    settings.cert_file = settings.key_file = None
    settings.api_key = {"BearerToken": f"Bearer {guarded_plane.operator.token}"}
    transport = Recorder(settings)
    yield transport
    await transport.close()


@pytest.fixture
async def guarded(
    guarded_plane: Charted, recorder: Recorder, postgresql: object, admin: object
) -> AsyncIterator[Guarded]:
    platform = Platform(external_databases=ExternalDatabases(denied_networks=()))
    transport = KubernetesTransport(await configuration(guarded_plane))
    estate = Guarded(Cluster(transport), platform, str(next(_numbers)), admin)  # type: ignore[arg-type]  # the fixture's own type
    estate.operator, estate.account = Cluster(recorder), guarded_plane.operator
    try:
        await estate.make()
        yield estate
    finally:
        await estate.close()
        await transport.close()


_numbers = itertools.count(7001)


async def test_tenant_lives_and_ends_within_the_operators_rights(guarded: Guarded, recorder: Recorder) -> None:
    estate = guarded
    tenant = Ref(INTEGRATIONTENANT, estate.namespace, "main")
    accounts = [{"name": "boss", "role": "owner"}, {"name": "lead", "role": "operator"}]
    accounts += [{"name": "books", "role": "finance"}, {"name": "desk", "role": "support"}]
    accounts += [{"name": "guest", "role": "viewer"}]

    await estate.served("erp-bolt", grants=[grant("erp-bolt")], accounts=accounts)
    assert recorder.refused == []
    await estate.holds(tenant)
    await estate.holds(tenant, "AclVerified")
    assert await estate.rows("erp-bolt") is not None
    home = estate.home("erp-bolt")
    assert set(await names(estate.cluster, ROLEBINDING, home)) >= {"cairn-developers", "cairn-operator"}

    erase = {
        "target": {"kind": "IntegrationTenant", "name": "main"},
        "action": "erase",
        "args": {"shop": "55501", "ouid": "AAHk5d"},
        "confirm": "main",
    }
    await estate.apply(estate.named("Operation", "forget", erase))
    await estate.settle()
    done = await estate.live(Ref(OPERATION, estate.namespace, "forget"))
    assert done["status"]["phase"] == "Succeeded", done["status"]

    await estate.tenant(apps=[], grants=[], accounts=accounts[:1])
    await estate.settle()
    assert await estate.secret("erp-bolt") is None
    assert await names(estate.cluster, ROLEBINDING, estate.namespace) == ["cairn-main-owner", "cairn-operator"]
    assert (await estate.live(Ref(NAMESPACE, "", home)))["status"]["phase"] == "Active"

    live = await estate.live(tenant)
    await estate.cluster.patch(tenant, {"metadata": {"annotations": {CONFIRM: "main"}}})
    await estate.cluster.delete(tenant, uid=live["metadata"]["uid"])
    await estate.settle()
    assert await estate.cluster.get(tenant) is None
    assert recorder.refused == []
