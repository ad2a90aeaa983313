# SPDX-License-Identifier: Apache-2.0
"""A token of the platform's provider has the rights of its account's RoleBinding, in its seller's namespaces alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cairn.api.resources import OPERATION
from cairn_devcluster.oidc import Account, Client, Person, Provider
from cluster.caller import Answer, Caller
from cluster.charted import APP, IMAGES, SELLER, SYSTEM, Charted, until
from cluster.people import CONSOLE, HERE, person, token
from cluster.samples import sample
from cluster.staff import CLUSTER_ROLES, GROUPS

REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
CRM = Client("cairn-2088-crm", (HERE,), seller="2088")
LATE = Client("cairn-console-late", (HERE,), audience=(CONSOLE.id,), lifetime="-10m")
PEOPLE = (
    *(Person(role, role, (Account("2088", f"{role}-1", role),)) for role in CLUSTER_ROLES),
    Person("developer", "developer", groups=(GROUPS["developer"],)),
    Person("of another", "of another", (Account("20880", "owner-1", "owner"), Account("2099", "owner-1", "owner"))),
    Person("astray", "astray", groups=("system:masters",)),
)


@pytest.fixture(scope="module", autouse=True)
def known(provider: Provider) -> None:
    provider.write(PEOPLE, (CONSOLE, CRM, LATE))


def _who(caller: Caller) -> Answer:
    return caller.create(REVIEWS, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})


def _rights(caller: Caller, namespace: str) -> set[str]:
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    answer = caller.create(RULES, body)
    assert answer.ok, answer
    return {json.dumps(rule, sort_keys=True) for rule in answer.body["status"]["resourceRules"]}


def test_account_is_known_by_its_group(charted: Charted, provider: Provider) -> None:
    answer = until(lambda: _who(person(charted, provider, "operator")), lambda a: a.ok)
    told = answer.body["status"]["userInfo"]
    assert told["username"] == "person:operator"
    assert told["groups"] == ["cairn:2088:operator-1", "system:authenticated"]


@pytest.mark.parametrize("role", sorted(GROUPS))
def test_token_has_the_rights_of_its_binding_and_nowhere_else(
    charted: Charted, provider: Provider, people: dict[str, Caller], neighbour: str, role: str
) -> None:
    caller, nobody = person(charted, provider, role), charted.person("system:authenticated")
    until(lambda: _who(caller), lambda a: a.ok)
    for namespace in (APP,) if role == "developer" else (SELLER, APP):
        assert _rights(caller, namespace) == _rights(people[role], namespace)
        assert _rights(caller, namespace) > _rights(nobody, namespace)
    for namespace in (neighbour, SYSTEM, IMAGES, "default", *((SELLER,) if role == "developer" else ())):
        assert _rights(caller, namespace) == _rights(nobody, namespace)
    acts = caller.create(f"{OPERATION.path(SELLER)}?dryRun=All", sample("operations", "by-token", SELLER))
    assert acts.status == (201 if role in ("owner", "operator") else 403), acts


def test_account_of_another_seller_has_no_right_here_though_its_names_are_alike(
    charted: Charted, provider: Provider, people: dict[str, Caller]
) -> None:
    caller, nobody = person(charted, provider, "of another"), charted.person("system:authenticated")
    until(lambda: _who(caller), lambda a: a.ok)
    for namespace in (SELLER, APP):
        assert _rights(caller, namespace) == _rights(nobody, namespace)


def test_token_that_is_not_for_the_api_server_is_refused(charted: Charted, provider: Provider, tmp_path: Path) -> None:
    def answer(raw: str) -> Answer:
        return _who(Caller(charted.admin.server, charted.admin.pki, token=raw))

    honest = token(provider, "owner")
    until(lambda: answer(honest), lambda a: a.ok)
    with Provider(tmp_path / "foreign") as foreign:
        foreign.write(PEOPLE, (CONSOLE,))
        refused = {
            "an app's": token(provider, "owner", CRM),
            "over": token(provider, "owner", LATE),
            "another provider's": token(foreign, "owner"),
            "of a group that is none of Cairn's": token(provider, "astray"),
            "changed": f"{honest[:-8]}{'A' * 8}",
        }
    for what, raw in refused.items():
        assert answer(raw).status == 401, what
