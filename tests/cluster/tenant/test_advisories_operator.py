# SPDX-License-Identifier: Apache-2.0
"""Advisories about what an operator asks for and what it puts back, by the calls of a tenant's life."""

from __future__ import annotations

from cairn.api.resources import INTEGRATIONTENANT, NETWORKPOLICY, ROLEBINDING, Ref
from cairn.engine.cluster import Cluster, Request, Response, Transport
from cluster.tenant.estate import Estate, grant

READ_BY_NAME = {"secrets", "roles", "rolebindings"}


class Recorded:
    """Writes down what passes."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.calls: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.calls.append(request)
        return await self._inner.send(request)

    async def close(self) -> None:
        """The inner transport is the fixture's."""


async def test_ghsa_fcxq_v2r3_cc8h_list_without_a_namespace_is_of_cairns_own_alone(
    estate: Estate, transport: Transport
) -> None:
    """Cairn's kinds, and what bears its mark; never what is read by name, such as Secrets."""
    recorded = Recorded(transport)
    estate.cluster = Cluster(recorded)
    await estate.settle(fresh=True)
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    wide = {
        (request.path.rsplit("/", 1)[1], request.query.get("labelSelector", ""))
        for request in recorded.calls
        if request.method == "GET"
        and request.path.split("/")[-2] in ("v1", "v1alpha1")
        and "namespaces/" not in request.path
    }
    assert wide
    assert not {plural for plural, _ in wide} & READ_BY_NAME
    ours = {request.path.rsplit("/", 1)[1] for request in recorded.calls if "/cairn.dev/v1alpha1/" in request.path}
    assert {plural for plural, selector in wide if not selector} <= ours, wide


async def test_cve_2022_46167_stripped_marks_are_told_and_what_bore_them_is_made_anew(estate: Estate) -> None:
    """Only an admin can take them off. What has none is a stranger's: Cairn names it, and makes its own after it."""
    tenant = Ref(INTEGRATIONTENANT, estate.namespace, "main")
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    home = estate.home("erp-bolt")
    for ref in (Ref(NETWORKPOLICY, home, "cairn-database"), Ref(ROLEBINDING, home, "cairn-developers")):
        whole = await estate.live(ref)
        await estate.cluster.patch(ref, {"metadata": {"labels": dict.fromkeys(whole["metadata"]["labels"])}})
        await estate.settle()
        said = await estate.condition(tenant)
        assert (said["status"], ref.name in said["message"]) == ("False", True), said
        await estate.cluster.delete(ref, uid=whole["metadata"]["uid"])
        await estate.settle()
        assert (await estate.live(ref))["metadata"].get("labels") == whole["metadata"]["labels"], ref
        await estate.holds(tenant)
