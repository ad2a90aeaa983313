# SPDX-License-Identifier: Apache-2.0
"""What guards a seller's and an app's namespace against those who work there, and who may consent and delegate."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import pytest

from cluster.caller import Answer, Caller
from cluster.charted import APP, APP_LABELS, LABELS, ROLES, SELLER, SYSTEM, Charted, binding, refused_by, until
from cluster.samples import sample

CAIRN = "/apis/cairn.dev/v1alpha1"
TENANTS = f"{CAIRN}/namespaces/{SELLER}/integrationtenants"
SHA = "9f2c" * 16
GRANT = {
    "name": "bolt",
    "app": "erp-bolt",
    "contract": {"name": "trade-v3", "sha256": SHA},
    "tables": [{"from": "platform.trades", "columns": [{"name": "tid", "mask": "plain"}]}],
    "rows": {"shops": ["55501"]},
    "purpose": "fulfilment",
    "expiresAt": "2027-05-31T00:00:00Z",
}
ADMITTED = {"name": "erp-bolt", "vendorAppKey": "23456789", "planRef": {"name": "app.small"}}
ACCOUNT = {"name": "boss", "role": "owner"}
_serial = itertools.count(1)


def tenant(**spec: Any) -> dict[str, Any]:
    body = sample("integrationtenants", f"t{next(_serial)}", SELLER)
    body["spec"] |= copy.deepcopy(spec)
    return body


@pytest.fixture(scope="session")
def clerk(charted: Charted) -> Caller:
    """Somebody who may write IntegrationTenants and has neither verb: update alone is not consent."""
    rule = {"apiGroups": ["cairn.dev"], "resources": ["integrationtenants"], "verbs": ["*"]}
    rule["verbs"] = ["get", "create", "update", "patch"]
    charted.admin.create(f"{ROLES}/clusterroles", {"metadata": {"name": "clerk"}, "rules": [rule]})
    caller = charted.account(SELLER, "clerk", "clerk")
    until(lambda: caller.get(f"{TENANTS}/x"), lambda a: a.status == 404)
    return caller


# Consent and delegation


@pytest.mark.parametrize(
    ("spec", "verb"),
    [
        pytest.param({"grants": [GRANT]}, "consent", id="grants"),
        pytest.param({"accounts": [ACCOUNT]}, "delegate", id="accounts"),
        pytest.param({"apps": [ADMITTED]}, "delegate", id="apps"),
    ],
)
def test_field_is_set_only_with_its_verb(
    charted: Charted, people: dict[str, Caller], clerk: Caller, spec: dict[str, Any], verb: str
) -> None:
    new = tenant(**spec)
    refused = clerk.create(TENANTS, new)
    refused_by("cairn-consent", refused)
    assert f"verb {verb}" in refused.message
    plain = tenant()
    assert clerk.create(TENANTS, plain).ok
    path = f"{TENANTS}/{plain['metadata']['name']}"
    refused_by("cairn-consent", clerk.merge(path, {"spec": spec}))
    refused_by("cairn-consent", clerk.apply(path, {**plain, "spec": plain["spec"] | spec}))
    assert clerk.merge(path, {"metadata": {"labels": {"team": "a"}}}).ok
    assert people["owner"].merge(path, {"spec": spec}).ok
    taken: dict[str, list[Any]] = {field: [] for field in spec}
    refused_by("cairn-consent", clerk.merge(path, {"spec": taken}))
    assert clerk.merge(path, {"spec": {"suspend": True}}).ok  # what is not guarded stays the clerk's
    assert people["owner"].create(TENANTS, new).ok


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"expiresAt": "2027-06-30T00:00:00Z"}, id="longer"),
        pytest.param({"rows": {"shops": ["55501"], "window": "900d"}}, id="more-days"),
        pytest.param({"purpose": "marketing"}, id="another-purpose"),
        pytest.param({"contract": {"name": "trade-v3", "sha256": "0" * 64}}, id="another-contract"),
        pytest.param(
            {"tables": [{"from": "platform.trades", "columns": [{"name": "buyer_nick", "mask": "plain"}]}]},
            id="columns",
        ),
    ],
)
def test_every_change_of_a_grant_is_consent(people: dict[str, Caller], clerk: Caller, change: dict[str, Any]) -> None:
    body = tenant(grants=[GRANT])
    assert people["owner"].create(TENANTS, body).ok
    path = f"{TENANTS}/{body['metadata']['name']}"
    refused_by("cairn-consent", clerk.merge(path, {"spec": {"grants": [GRANT | change]}}))
    assert people["owner"].merge(path, {"spec": {"grants": [GRANT | change]}}).ok


def test_another_shop_under_a_grant_is_consent(people: dict[str, Caller], clerk: Caller) -> None:
    """A grant's shops count as far as spec.shops has them: adding one there shows more rows."""
    body = tenant(grants=[GRANT | {"rows": {"shops": ["55501", "55502"]}}])
    assert people["owner"].create(TENANTS, body).ok
    path = f"{TENANTS}/{body['metadata']['name']}"
    refused_by("cairn-consent", clerk.merge(path, {"spec": {"shops": ["55501", "55502"]}}))


def test_verb_on_one_tenant_is_none_on_another(charted: Charted) -> None:
    one, other = tenant(), tenant()
    rules = [
        {"apiGroups": ["cairn.dev"], "resources": ["integrationtenants"], "verbs": ["get", "patch"]},
        {"apiGroups": ["cairn.dev"], "resources": ["integrationtenants"], "verbs": ["consent"],
         "resourceNames": [one["metadata"]["name"]]},
    ]  # fmt: skip
    charted.admin.create(f"{ROLES}/clusterroles", {"metadata": {"name": "one-tenant"}, "rules": rules})
    caller = charted.account(SELLER, "one-tenant", "one-tenant")
    for body in (one, other):
        assert charted.admin.create(TENANTS, body).ok
    until(lambda: caller.merge(f"{TENANTS}/{one['metadata']['name']}", {"spec": {"grants": [GRANT]}}), lambda a: a.ok)
    refused = caller.merge(f"{TENANTS}/{other['metadata']['name']}", {"spec": {"grants": [GRANT]}})
    refused_by("cairn-consent", refused)


def test_staff_acts_by_operations_and_patches_nothing(charted: Charted, people: dict[str, Caller]) -> None:
    body = tenant()
    assert people["owner"].create(TENANTS, body).ok
    path = f"{TENANTS}/{body['metadata']['name']}"
    for role in ("operator", "finance", "support", "viewer"):
        for answer in (
            people[role].merge(path, {"spec": {"suspend": True}}),
            people[role].delete(path),
            people[role].get(f"/api/v1/namespaces/{SELLER}/secrets"),
        ):
            assert answer.status == 403, (role, answer)
    operations = f"{CAIRN}/namespaces/{SELLER}/operations"
    for role, ok in (("operator", True), ("owner", True), ("support", False), ("viewer", False), ("finance", False)):
        answer = people[role].create(operations, sample("operations", f"by-{role}", SELLER))
        assert answer.ok is ok, (role, answer)


# Guards

GUARDS = ["networkpolicies", "resourcequotas", "limitranges"]
WRITES = {
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "resourcequotas": "/api/v1",
    "limitranges": "/api/v1",
    "rolebindings": ROLES,
}


@pytest.fixture(scope="session")
def lord(charted: Charted) -> dict[str, Caller]:
    """Somebody with every right in the namespace that RBAC can give, and none outside: the worst that is bound."""
    every = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    charted.admin.create(f"{ROLES}/clusterroles", {"metadata": {"name": "lord"}, "rules": every})
    callers = {namespace: charted.account(namespace, "lord", "lord") for namespace in (SELLER, APP)}
    for namespace, caller in callers.items():
        until(lambda c=caller, n=namespace: c.get(f"/api/v1/namespaces/{n}/secrets"), lambda a: a.ok)  # type: ignore[misc]
    return callers


@pytest.mark.parametrize("plural", GUARDS)
@pytest.mark.parametrize("namespace", [SELLER, APP])
def test_guards_are_written_by_the_operator_alone(
    charted: Charted, lord: dict[str, Caller], namespace: str, plural: str
) -> None:
    path = f"{WRITES[plural]}/namespaces/{namespace}/{plural}"
    body = sample(plural, "cairn-guard", namespace)
    assert charted.operator.create(path, body).ok
    guard = f"{path}/cairn-guard"
    for answer in (
        lord[namespace].create(path, sample(plural, "mine", namespace)),
        lord[namespace].merge(guard, {"metadata": {"annotations": {"a": "b"}}}),
        lord[namespace].apply(guard, body | {"spec": body["spec"]}),
        lord[namespace].delete(guard),
        lord[namespace].delete(path),
    ):
        refused_by("cairn-guards", answer)
    assert charted.admin.delete(guard).ok


def test_roles_in_an_apps_namespace_are_the_operators_to_give(charted: Charted, lord: dict[str, Caller]) -> None:
    path = f"{ROLES}/namespaces/{APP}"
    own = {"kind": "ServiceAccount", "name": "lord", "namespace": APP}
    refused_by("cairn-guards", lord[APP].create(f"{path}/rolebindings", binding("mine", "lord", own)))
    refused_by("cairn-guards", lord[APP].create(f"{path}/roles", {"metadata": {"name": "mine"}, "rules": []}))
    refused_by("cairn-guards", lord[APP].delete(f"{path}/rolebindings/cairn-operator"))


def test_guards_go_with_their_namespace(charted: Charted) -> None:
    """Kubernetes' own namespace controller deletes what is in it, whatever the policies say to people."""
    name = "cairn-2088-going"
    charted.make_app(name)
    body = sample("networkpolicies", "cairn-default-deny", name)
    path = f"/apis/networking.k8s.io/v1/namespaces/{name}/networkpolicies"
    until(lambda: charted.operator.create(path, body), lambda a: a.ok)
    refused_by("cairn-confirm-delete", charted.admin.delete(f"/api/v1/namespaces/{name}"))
    confirmed = {"metadata": {"annotations": {"cairn.dev/confirm-delete": name}}}
    assert charted.admin.merge(f"/api/v1/namespaces/{name}", confirmed).ok
    assert charted.admin.delete(f"/api/v1/namespaces/{name}").ok
    until(lambda: charted.admin.get(f"/api/v1/namespaces/{name}"), lambda a: a.status == 404, seconds=60)


@pytest.mark.parametrize("subject", ["system:authenticated", "system:unauthenticated", "system:serviceaccounts"])
@pytest.mark.parametrize("kind", ["Group", "User"])
@pytest.mark.parametrize("namespace", [SELLER, APP])
def test_subject_that_is_everybody_is_refused(
    charted: Charted, lord: dict[str, Caller], namespace: str, kind: str, subject: str
) -> None:
    body = binding("everybody", "cairn-viewer", {"kind": kind, "name": subject})
    answer = lord[namespace].create(f"{ROLES}/namespaces/{namespace}/rolebindings?dryRun=All", body)
    assert answer.status == 422, answer
    assert "cairn-subjects" in answer.message or "cairn-guards" in answer.message
    if namespace == SELLER:
        refused_by("cairn-subjects", answer)


@pytest.mark.parametrize("namespace", [SELLER, APP])
def test_secret_that_would_become_a_token_is_refused(
    charted: Charted, lord: dict[str, Caller], people: dict[str, Caller], namespace: str
) -> None:
    """CVE-2026-42876: whoever chose a Secret's type was given a token of the account that it named."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    body = {
        "metadata": {"name": "token", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token",
    }
    for caller in (lord[namespace], charted.operator, *([people["developer"]] if namespace == APP else [])):
        refused_by("cairn-token-secrets", caller.create(path, body))
    assert people["developer"].create(f"/api/v1/namespaces/{APP}/secrets?dryRun=All", {"metadata": {"name": "x"}}).ok


def test_secret_that_cairn_delivered_is_changed_by_nobody_else(charted: Charted, people: dict[str, Caller]) -> None:
    """It tells the operator which login is in use."""
    path = f"/api/v1/namespaces/{APP}/secrets"
    body = {"metadata": {"name": "delivered", "labels": {"app.kubernetes.io/managed-by": "cairn"}}}
    assert charted.operator.create(path, body).ok
    change = {"stringData": {"generation": "7"}}
    refused_by("cairn-delivered-secrets", people["developer"].merge(f"{path}/delivered", change))
    assert charted.operator.merge(f"{path}/delivered", change).ok
    assert people["developer"].delete(f"{path}/delivered").ok


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"type": "NodePort"}, id="node-port"),
        pytest.param({"type": "LoadBalancer"}, id="load-balancer"),
        pytest.param({"type": "ExternalName", "externalName": "db.seller-2099.svc"}, id="external-name"),
        pytest.param({"externalIPs": ["10.0.0.1"]}, id="external-ip"),
    ],
)
def test_service_of_an_app_takes_no_traffic_of_others(people: dict[str, Caller], spec: dict[str, Any]) -> None:
    path = f"/api/v1/namespaces/{APP}/services"
    body = sample("services", f"s{next(_serial)}", APP)
    refused_by("cairn-app-services", people["developer"].create(path, {**body, "spec": body["spec"] | spec}))
    assert people["developer"].create(path, body).ok


def test_developer_installs_and_touches_no_guard(charted: Charted, people: dict[str, Caller]) -> None:
    developer = people["developer"]
    for plural, root in (("deployments", "/apis/apps/v1"), ("configmaps", "/api/v1"), ("secrets", "/api/v1")):
        answer = developer.create(f"{root}/namespaces/{APP}/{plural}", sample(plural, "release", APP))
        assert answer.ok, answer
    request = sample("integrationapps", "erp-bolt", APP)
    assert developer.create(f"{CAIRN}/namespaces/{APP}/integrationapps", request).ok
    for plural, root in WRITES.items():
        body = sample(plural, "mine", APP)
        assert developer.create(f"{root}/namespaces/{APP}/{plural}", body).status == 403
    for path in (
        f"/api/v1/namespaces/{APP}/serviceaccounts/default/token",
        f"/api/v1/namespaces/{APP}/pods/x/exec?command=id",
        f"{CAIRN}/namespaces/{APP}/integrationtenants",
    ):
        assert developer.create(path, {}).status == 403, path


def test_connection_secret_of_the_operator_keeps_its_mark(charted: Charted, people: dict[str, Caller]) -> None:
    path = f"/api/v1/namespaces/{APP}/secrets"
    secret = sample("secrets", "cairn-db", APP)
    secret["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "cairn", "cairn.dev/owner-name": "main"}
    assert charted.operator.create(path, secret).ok
    for label in secret["metadata"]["labels"]:
        answer = people["developer"].merge(f"{path}/cairn-db", {"metadata": {"labels": {label: None}}})
        assert answer.status == 422, answer
        assert "'cairn-delivered-secrets'" in answer.message or "'cairn-owner-labels'" in answer.message


# Check 11: the namespaces themselves

STEWARD = "namespace-steward"
KEYS = ["cairn.dev/seller", "cairn.dev/seller-id", "cairn.dev/app", "cairn.dev/tenant"]
PSA = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="session")
def steward(charted: Charted) -> Caller:
    """Somebody who may write namespaces with their subresources, and is no cluster admin."""
    plurals = ["namespaces", "namespaces/status", "namespaces/finalize"]
    rules = [{"apiGroups": [""], "resources": plurals, "verbs": ["get", "create", "update", "patch"]}]
    charted.admin.create(f"{ROLES}/clusterroles", {"metadata": {"name": STEWARD}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": STEWARD, "namespace": SYSTEM}
    charted.admin.create(f"{ROLES}/clusterrolebindings", binding(STEWARD, STEWARD, subject))
    caller = charted.account(SYSTEM, STEWARD)
    until(lambda: caller.get("/api/v1/namespaces/default"), lambda a: a.ok)
    return caller


def every_way(caller: Caller, admin: Caller, name: str, labels: dict[str, str | None]) -> list[Answer]:
    """Set or remove labels of a namespace by patch, apply, update, and both of its subresources."""
    path = f"/api/v1/namespaces/{name}"
    whole = admin.get(path).body
    for key, value in labels.items():
        whole["metadata"]["labels"].pop(key, None)
        if value is not None:
            whole["metadata"]["labels"][key] = value
    change = {"metadata": {"labels": labels}}
    set_ = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
    answers = [
        caller.merge(path, change),
        caller.merge(f"{path}/status", change),
        caller("PUT", path, whole),
        caller("PUT", f"{path}/status", whole),
        caller("PUT", f"{path}/finalize", whole),
    ]
    return answers if None in labels.values() else [*answers, caller.apply(path, set_)]


@pytest.mark.parametrize("namespace", ["default", "kube-system", SYSTEM, SELLER, APP])
def test_check_11_namespace_guard_labels(charted: Charted, steward: Caller, namespace: str) -> None:
    """Nobody but the operator makes a namespace a seller's or an app's, or takes that away: by no verb and no way."""
    for key in KEYS:
        if key == "cairn.dev/tenant" and namespace not in (SELLER, APP):
            continue  # says nothing where no seller is named
        for answer in every_way(steward, charted.admin, namespace, {key: "7"}):
            refused_by("cairn-seller-labels", answer)
    if namespace in (SELLER, APP):
        for key in KEYS[: 4 if namespace == APP else 2]:
            for answer in every_way(steward, charted.admin, namespace, {key: None}):
                refused_by("cairn-seller-labels", answer)


@pytest.mark.parametrize("namespace", [SELLER, APP])
def test_check_11_namespace_guard_pod_security(charted: Charted, steward: Caller, namespace: str) -> None:
    for value in ("privileged", "baseline", None):
        for answer in every_way(steward, charted.admin, namespace, {PSA: value}):
            refused_by("cairn-seller-labels", answer)


def test_check_11_namespace_guard_creation(charted: Charted, steward: Caller) -> None:
    for name, labels in (("seller-7", LABELS), ("cairn-2088-crm", APP_LABELS | {"cairn.dev/app": "crm"})):
        new = {"metadata": {"name": name, "labels": labels}}
        refused_by("cairn-seller-labels", steward.create("/api/v1/namespaces?dryRun=All", new))
    assert steward.create("/api/v1/namespaces?dryRun=All", {"metadata": {"name": "plain"}}).ok


@pytest.mark.parametrize("namespace", ["default", "kube-system", SYSTEM])
def test_check_11_namespace_guard_system_namespaces(charted: Charted, namespace: str) -> None:
    """The operator's own token makes none of them a seller's."""
    for labels in (LABELS, APP_LABELS):
        for answer in every_way(charted.operator, charted.admin, namespace, dict(labels)):
            assert answer.status in (403, 422), answer
            assert (
                "cannot" in answer.message
                or "cairn-seller-labels" in answer.message
                or ("cairn-operator-namespaces" in answer.message)
            )


def test_check_11_namespace_guard_status_and_finalizer(charted: Charted, lord: dict[str, Caller]) -> None:
    body = tenant()
    body["metadata"]["finalizers"] = ["cairn.dev/teardown"]
    made = charted.admin.create(TENANTS, body)
    assert made.ok
    path = f"{TENANTS}/{body['metadata']['name']}"
    forged = {"status": {"verifiedAt": "2026-11-23T00:00:00Z", "apps": [{"name": "erp-bolt", "uid": "x"}]}}
    refused_by("cairn-status", lord[SELLER].merge(f"{path}/status", forged))
    refused_by("cairn-status", charted.admin.merge(f"{path}/status", forged))
    refused_by("cairn-finalizer", lord[SELLER].merge(path, {"metadata": {"finalizers": None}}))
    refused_by("cairn-status", lord[SELLER].merge(f"{path}/status", {"metadata": {"finalizers": None}}))


def test_check_11_namespace_guard_owner_references(charted: Charted, lord: dict[str, Caller]) -> None:
    """CVE-2022-46167: an owner reference taken off ended the enforcement. Here labels say whose it is."""
    owned = sample("configmaps", "owned", SELLER)
    owned["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "cairn", "cairn.dev/owner-uid": "0"}
    path = f"/api/v1/namespaces/{SELLER}/configmaps"
    assert charted.operator.create(path, owned).ok
    orphan = {"metadata": {"ownerReferences": None, "labels": {"cairn.dev/owner-uid": None}}}
    refused_by("cairn-owner-labels", lord[SELLER].merge(f"{path}/owned", orphan))
    forged = {"metadata": {"name": "forged", "labels": owned["metadata"]["labels"]}}
    for namespace in (SELLER, APP):
        refused_by("cairn-owner-labels", lord[namespace].create(f"/api/v1/namespaces/{namespace}/configmaps", forged))


def test_check_11_namespace_guard_subjects(charted: Charted) -> None:
    """The operator's own token binds a role to nobody but whom the namespace's seller can have named."""
    staff = {"kind": "Group", "name": "cairn:2088:boss"}
    developers = {"kind": "Group", "name": "cairn:isv:23456789:li"}
    good = [
        (SELLER, binding("cairn-second-owner", "cairn-owner", staff)),
        (APP, binding("cairn-second-owner", "cairn-owner", staff)),
        (APP, binding("cairn-developers", "cairn-isv-developer", developers)),
    ]
    for namespace, body in good:
        answer = charted.operator.apply(f"{ROLES}/namespaces/{namespace}/rolebindings/{body['metadata']['name']}", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", **body})  # fmt: skip
        assert answer.ok, answer
    group = {"kind": "Group"}
    bad = [
        (SELLER, "cairn-main-owner", "cairn-operator-staff", staff),
        (SELLER, "cairn-main-viewer", "cairn-owner", staff),
        (SELLER, "main-owner", "cairn-owner", staff),
        (SELLER, "cairn-main-owner", "cairn-owner", group | {"name": "cairn:2099:boss"}),
        (SELLER, "cairn-main-owner", "cairn-owner", group | {"name": "cairn:20880:boss"}),
        (SELLER, "cairn-main-owner", "cairn-owner", group | {"name": "cairn:2088:boss:x"}),
        (SELLER, "cairn-main-owner", "cairn-owner", group | {"name": "cairn:2088:"}),
        (SELLER, "cairn-main-owner", "cairn-owner", group | {"name": "system:authenticated"}),
        (SELLER, "cairn-main-owner", "cairn-owner", developers),
        (SELLER, "cairn-main-owner", "cairn-owner", {"kind": "User", "name": "cairn:2088:boss"}),
        (SELLER, "cairn-main-owner", "cairn-owner", {"kind": "ServiceAccount", "name": "x", "namespace": SELLER}),
        (SELLER, "cairn-developers", "cairn-isv-developer", developers),
        (SELLER, "cairn-operator", "cairn-app-namespace", {}),
        (APP, "cairn-operator", "cairn-seller-namespace", {}),
        (APP, "cairn-developers", "cairn-isv-developer", staff),
        (APP, "cairn-developers", "cairn-isv-developer", group | {"name": "system:serviceaccounts"}),
        (APP, "cairn-developers", "cairn-isv-developer", group | {"name": "cairn:isv:x:li"}),
        (APP, "cairn-developers", "cairn-owner", developers),
    ]
    own = {"kind": "ServiceAccount", "name": "cairn-operator", "namespace": SYSTEM}
    for namespace, name, role, subject in bad:
        path = f"{ROLES}/namespaces/{namespace}/rolebindings?dryRun=All"
        body = binding(name, role, subject or own)
        answer = charted.operator.create(path, body)
        if body["subjects"][0]["name"].startswith("system:"):
            assert answer.status == 422, answer  # two policies say no; the API server names one
        else:
            refused_by("cairn-operator-rolebindings", answer)
