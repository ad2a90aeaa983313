# SPDX-License-Identifier: Apache-2.0
"""What has gone wrong in other operators, one test (or more) for each advisory: here it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from cairn import datasets
from cairn.api.contract import read
from cairn.api.crd import CRDS
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.structural import Schema
from cairn.tenant.consent import effective
from cluster.caller import Caller
from cluster.charted import APP, LABELS, ROLES, SELLER, Charted, binding, refused_by, until
from cluster.samples import sample

CAIRN = "/apis/cairn.dev/v1alpha1"
CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: trade
version: 1.0.0
status: active
name: trade
schema:
- name: trade
  physicalName: platform.trades
  properties:
  - name: mobile
    physicalName: receiver_mobile
    physicalType: text
    customProperties: [{property: mask, value: partial}]
"""
TENANTS = f"{CAIRN}/namespaces/{SELLER}/integrationtenants"


def nodes(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    yield path, schema
    for key, node in schema.get("properties", {}).items():
        yield from nodes(node, f"{path}.{key}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def specs() -> Iterator[tuple[str, Schema]]:
    for crd in CRDS:
        spec = crd.manifest()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        yield from nodes(spec, crd.resource.kind)


# CVE-2026-39961 (Aiven): connInfoSecretSource.namespace read any Secret


def test_cve_2026_39961_no_reference_has_a_namespace(charted: Charted) -> None:
    named = {path for path, _ in specs() if path.lower().endswith(("namespace", "namespaces"))}
    assert named == {
        "Seller.namespace",  # which an admin writes, and Cairn makes
        "SellerRDS.access.fromNamespaces",  # peers of a NetworkPolicy: who may connect, not what is read
        "SellerVM.access.fromNamespaces",
        "IntegrationTenant.apps[].access.fromNamespaces",
    }


def test_cve_2026_39961_namespace_in_a_reference_is_refused_or_pruned(charted: Charted) -> None:
    body = sample("integrationtenants", "foreign-ref", SELLER)
    body["spec"]["databaseRef"]["namespace"] = "seller-2099"
    strict = charted.admin.create(f"{TENANTS}?fieldValidation=Strict", body)
    assert strict.status == 400, strict
    assert "spec.databaseRef.namespace" in strict.message
    lax = charted.admin.create(f"{TENANTS}?fieldValidation=Ignore", body)
    assert lax.ok, lax
    assert lax.body["spec"]["databaseRef"] == {"name": "shop-db"}


# CVE-2025-29781 (Metal3), GHSA-gf93-xccm-5g6j (marin3r), GHSA-398h-7f66-3h4p (OpenFeature): the same by a text ns/name


def test_cve_2025_29781_no_name_of_another_object_takes_a_slash(charted: Charted) -> None:
    refs = [(path, node) for path, node in specs() if re.search(r"(Ref|contract)\.name$", path)]
    assert len(refs) > 10
    for path, node in refs:
        assert not re.search(node["pattern"], "seller-2099/shop-db"), path


@pytest.mark.parametrize("name", ["seller-2099/shop-db", "../shop-db", "seller-2099:shop-db", "shop-db\n", "Shop"])
def test_cve_2025_29781_name_with_a_way_elsewhere_is_refused(charted: Charted, name: str) -> None:
    body = sample("integrationtenants", "slash", SELLER)
    body["spec"]["databaseRef"]["name"] = name
    answer = charted.admin.create(f"{TENANTS}?dryRun=All", body)
    assert answer.status == 422, answer
    assert "spec.databaseRef.name" in answer.message


# GHSA-fcxq-v2r3-cc8h, GHSA-77v3-r3jw-j2v2 (External Secrets): LIST without a namespace, templates with its own rights


@pytest.mark.parametrize("plural", ["secrets", "rolebindings", "roles"])
def test_ghsa_fcxq_v2r3_cc8h_operator_lists_nowhere_what_it_reads_by_name(charted: Charted, plural: str) -> None:
    root = "/api/v1" if plural == "secrets" else ROLES
    for where in ("", f"/namespaces/{SELLER}", f"/namespaces/{APP}", "/namespaces/kube-system"):
        for query in ("", "?watch=true&timeoutSeconds=1"):
            answer = charted.operator.get(f"{root}{where}/{plural}{query}")
            assert answer.status == 403, (where, query, answer)


def test_ghsa_77v3_r3jw_j2v2_every_text_of_a_user_has_a_form(charted: Charted) -> None:
    """No text of a tenant or an app is a template, or could be one: each has a pattern, an enum or a format. What is
    free is for people and goes nowhere."""
    free = {
        path
        for path, node in specs()
        if path.startswith("Integration")
        and node.get("type") == "string"
        and not {"pattern", "enum", "format"} & node.keys()
    }
    assert free == {
        "IntegrationApp.vendor.name",  # shown
        "IntegrationApp.publishes[].mapping.keyType",  # by a rule
        "IntegrationTenant.grants[].tables[].joinOn",  # by a rule
    }


@pytest.mark.parametrize("text", ["{{ .secret }}", "${TOKEN}", "$(id)", "a' OR '1'='1", 'tid"; DROP TABLE x; --'])
def test_ghsa_77v3_r3jw_j2v2_text_that_is_more_than_a_name_is_refused(charted: Charted, text: str) -> None:
    body = sample("integrationapps", "erp-text", APP)
    pin = {"name": "trade-v3", "sha256": "9f2c" * 16}
    body["spec"]["requests"] = [{"name": "a", "contract": pin, "purpose": "finance", "required": [text]}]
    answer = charted.admin.create(f"{CAIRN}/namespaces/{APP}/integrationapps?dryRun=All", body)
    assert answer.status == 422, answer


# CVE-2026-42876, CVE-2026-42875 (External Secrets): a Secret's type minted tokens; errors told what exists elsewhere


def test_cve_2026_42876_type_of_a_secret_mints_no_token(charted: Charted, people: dict[str, Caller]) -> None:
    body = {
        "metadata": {"name": "mint", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token",
    }
    for caller in (people["developer"], charted.operator):
        refused_by("cairn-token-secrets", caller.create(f"/api/v1/namespaces/{APP}/secrets", body))


def test_cve_2026_42875_what_is_elsewhere_is_answered_like_what_is_nowhere(
    charted: Charted, people: dict[str, Caller], neighbour: str
) -> None:
    assert charted.admin.create(f"/api/v1/namespaces/{neighbour}/secrets", sample("secrets", "there", neighbour)).ok
    for role, caller in people.items():
        there, nowhere = (caller.get(f"/api/v1/namespaces/{neighbour}/secrets/{name}") for name in ("there", "nowhere"))
        assert there.status == nowhere.status == 403, role
        assert there.message.replace("there", "X") == nowhere.message.replace("nowhere", "X")


# CVE-2024-45041 (External Secrets): a ClusterRole that was too broad: test_least_privilege.py has the golden file


def test_cve_2024_45041_no_live_role_of_the_chart_is_broad(charted: Charted) -> None:
    listed = charted.admin.get(f"{ROLES}/clusterroles?labelSelector=app.kubernetes.io/name=cairn").body["items"]
    assert {"cairn-operator", "cairn-seller-namespace", "cairn-app-namespace"} <= {
        r["metadata"]["name"] for r in listed
    }
    for role in listed:
        assert "aggregationRule" not in role
        for rule in role["rules"]:
            assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"]), role["metadata"]["name"]


# CVE-2024-39690, CVE-2025-55205, GHSA-2ww6-hf35-mfjm (Capsule): namespaces of others taken over by labels:
# test_guards.py, test_check_11_namespace_guard_labels. Here the operator's own token, which has rights on namespaces.


@pytest.mark.parametrize("namespace", ["default", "kube-system"])
@pytest.mark.parametrize("way", ["", "/status", "/finalize"])
def test_cve_2025_55205_stolen_operator_token_takes_over_no_namespace(
    charted: Charted, namespace: str, way: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    whole = charted.admin.get(path).body
    whole["metadata"]["labels"] |= LABELS
    change = {"metadata": {"labels": LABELS}}
    answers = [charted.operator.merge(path + way, change), charted.operator("PUT", path + way, whole)]
    for answer in answers:
        assert answer.status in (403, 405, 422), answer
    assert not charted.admin.get(path).body["metadata"]["labels"].keys() & LABELS.keys()


# CVE-2022-46167, GHSA-gjw4-3v3v-rqxg (Capsule): an owner reference removed, forbidden labels by another verb:
# test_guards.py, test_check_11_namespace_guard_owner_references and _pod_security


def test_ghsa_gjw4_3v3v_rqxg_labels_by_every_verb(people: dict[str, Caller]) -> None:
    path = f"/api/v1/namespaces/{APP}/configmaps"
    developer = people["developer"]
    body = sample("configmaps", "verbs", APP)
    assert developer.create(path, body).ok
    forged = {"cairn.dev/owner-name": "main"}
    whole = {**body, "metadata": body["metadata"] | {"labels": forged}}
    for answer in (
        developer.create(path, {**whole, "metadata": whole["metadata"] | {"name": "new"}}),
        developer("PUT", f"{path}/verbs", whole),
        developer.merge(f"{path}/verbs", {"metadata": {"labels": forged}}),
        developer.apply(f"{path}/verbs", whole),
        developer.apply(f"{path}/applied", {**whole, "metadata": whole["metadata"] | {"name": "applied"}}),
    ):
        refused_by("cairn-owner-labels", answer)


# CVE-2026-22872 (Capsule); CVE-2026-67567, -73137, -66878 (multicloud subscription): what has no namespace made with
# the controller's rights


def test_cve_2026_22872_nobody_makes_what_has_no_namespace(charted: Charted, people: dict[str, Caller]) -> None:
    """Nor does the operator: it has no right on such kinds but namespaces, so no plan can ask it to."""
    made = {
        f"{ROLES}/clusterroles": {"metadata": {"name": "mine"}, "rules": []},
        f"{ROLES}/clusterrolebindings": binding("mine", "cluster-admin", {"kind": "Group", "name": "x"}),
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions": {"metadata": {"name": "x.y"}},
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations": {"metadata": {"name": "x"}},
        "/api/v1/persistentvolumes": sample("persistentvolumes", "mine", ""),
        "/apis/storage.k8s.io/v1/storageclasses": sample("storageclasses", "mine", ""),
        f"{CAIRN}/sellers": sample("sellers", "mine", ""),
        f"{CAIRN}/serviceplans": sample("serviceplans", "mine", ""),
    }
    for path, body in made.items():
        for who, caller in {**people, "cairn": charted.operator}.items():
            assert caller.create(path, body).status == 403, (who, path)


# CVE-2023-46254 (capsule-proxy): service accounts matched by their name alone


def test_cve_2023_46254_account_of_the_same_name_elsewhere_gets_in_nowhere(charted: Charted) -> None:
    other = "cairn-2098-erp-bolt"
    charted.make_app(other)
    callers = {namespace: charted.account(namespace, "deployer", "cairn-isv-developer") for namespace in (APP, other)}
    for namespace, caller in callers.items():
        until(lambda c=caller, n=namespace: c.get(f"/api/v1/namespaces/{n}/secrets"), lambda a: a.ok)  # type: ignore[misc]
    for mine, caller in callers.items():
        for namespace in {APP, other, SELLER} - {mine}:
            for path in (
                f"/api/v1/namespaces/{namespace}/secrets",
                f"/api/v1/namespaces/{namespace}/configmaps",
                f"{CAIRN}/namespaces/{namespace}/integrationapps",
            ):
                assert caller.get(path).status == 403, (mine, path)
                assert caller.create(path, {"metadata": {"name": "x"}}).status == 403, (mine, path)


# CVE-2023-38495 (Crossplane): what was fetched was not compared with what was pinned


def test_cve_2023_38495_contract_of_another_hash_is_not_applied() -> None:
    """Neither a contract that was changed after consent, nor a request for another one than was consented to."""
    text = CONTRACT.encode()
    contract, changed = read(text), read(text.replace(b"mask, value: partial", b"mask, value: plain"))
    assert changed.column("mobile") != contract.column("mobile")
    now = datetime(2026, 11, 23, tzinfo=UTC)
    for consented, asked, there, expected in (
        (contract, contract, contract, ("trade",)),
        (contract, contract, changed, ()),
        (changed, contract, contract, ()),
    ):
        pins = [{"name": "trade-v3", "sha256": one.sha256} for one in (consented, asked)]
        tenant, app = sample("integrationtenants", "main", SELLER), sample("integrationapps", "erp-bolt", APP)
        grant: dict[str, Any] = {
            "name": "bolt",
            "app": "erp-bolt",
            "contract": pins[0],
            "tables": [{"from": "platform.trades"}],
        }
        grant["tables"][0]["columns"] = [{"name": "mobile", "mask": "plain"}]
        grant |= {"rows": {"shops": ["55501"]}, "purpose": "fulfilment", "expiresAt": "2027-05-31T00:00:00Z"}
        admitted = {"name": "erp-bolt", "vendorAppKey": "23456789", "planRef": {"name": "app.small"}}
        tenant["spec"] |= {"apps": [admitted], "grants": [grant]}
        request = {"name": "a", "contract": pins[1], "purpose": "fulfilment", "required": ["mobile"]}
        app["spec"]["requests"] = [request]
        found = effective(
            IntegrationTenant.model_validate(tenant),
            {"erp-bolt": IntegrationApp.model_validate(app)},
            {there.sha256: there},
            datasets.shipped(),
            ["55501"],
            now,
            (),
        )
        assert tuple(shown.name for shown in found.apps["erp-bolt"].shown) == expected
        assert bool(found.grants) is not bool(expected)
