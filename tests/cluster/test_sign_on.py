# SPDX-License-Identifier: Apache-2.0
"""A sub-account's token of the platform's provider is what its RoleBinding says, in its seller's namespace alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from cairn_devcluster.oidc import Account, Client, Person, Provider
from cluster.caller import Answer, Caller
from cluster.charted import Charted, until
from cluster.people import CONSOLE, HERE, person, token

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
APP = Client("cairn-2088-crm", (HERE,), seller="2088")
LATE = Client("cairn-console-late", (HERE,), audience=(CONSOLE.id,), lifetime="-10m")
PEOPLE = (
    *(Person(role, role, (Account("2088", f"{role}-account", role),)) for role in ("owner", "operator")),
    Person("astray", "astray", groups=("system:masters",)),
)


@pytest.fixture(scope="module", autouse=True)
def people(provider: Provider) -> None:
    provider.write(PEOPLE, (CONSOLE, APP, LATE))


def test_account_is_known_by_its_group(charted: Charted, provider: Provider) -> None:
    answer = until(lambda: person(charted, provider, "operator").create(WHO, REVIEW), lambda a: a.ok)
    known = answer.body["status"]["userInfo"]
    assert known["username"] == "person:operator"
    assert known["groups"] == ["cairn:2088:operator-account", "system:authenticated"]


def test_token_that_is_not_for_the_api_server_is_refused(charted: Charted, provider: Provider, tmp_path: Path) -> None:
    def answer(raw: str) -> Answer:
        return Caller(charted.admin.server, charted.admin.pki, token=raw).create(WHO, REVIEW)

    honest = token(provider, "owner")
    until(lambda: answer(honest), lambda a: a.ok)
    with Provider(tmp_path / "foreign") as foreign:
        foreign.write(PEOPLE, (CONSOLE,))
        refused = {
            "an app's": token(provider, "owner", APP),
            "over": token(provider, "owner", LATE),
            "another provider's": token(foreign, "owner"),
            "of a group that is none of Cairn's": token(provider, "astray"),
            "changed": f"{honest[:-8]}{'A' * 8}",
        }
    for what, raw in refused.items():
        assert answer(raw).status == 401, what
