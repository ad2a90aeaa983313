# SPDX-License-Identifier: Apache-2.0
"""The operator has the rights that it needs and no other: one real request for each, as its ServiceAccount.

`NEEDS` is written from what the program does, charts/cairn/files/rbac.yaml from the same knowledge by another hand:
taking a rule out fails `test_operator_can[…]`, adding one fails `test_rules_none_is_superfluous`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cairn.api.resources import HPA, PODMETRICS
from cairn.api.resources import SELLER as SELLERS
from cluster import foreign
from cluster.caller import Answer
from cluster.charted import (
    APP,
    APP_LABELS,
    IMAGES,
    LABELS,
    OPERATOR_SUBJECT,
    POOL,
    ROLES,
    SELLER,
    SYSTEM,
    Charted,
    binding,
    until,
)
from cluster.samples import CLUSTER_SCOPED, sample


@dataclass(frozen=True)
class Right:
    """One verb on one resource (group/resource, or resource of the core group), where, and on which name."""

    where: str
    verb: str
    resource: str
    name: str = ""

    def __str__(self) -> str:
        where = "" if self.where == "cluster" else f"-{self.where}"
        return f"{self.verb}-{self.resource}{where}" + (f"-{self.name}" if self.verb == "bind" else "")

    @property
    def group(self) -> str:
        """The part before the slash, unless that is a resource of the core group and the rest its subresource."""
        first, _, rest = self.resource.partition("/")
        return first if rest and first not in _CORE else ""

    @property
    def plural(self) -> str:
        return self.resource.removeprefix(f"{self.group}/") if self.group else self.resource

    def rule(self) -> dict[str, Any]:
        """The rule of a role that gives this and nothing else."""
        names = {"resourceNames": [self.name]} if self.name else {}
        return {"apiGroups": [self.group], "resources": [self.plural], "verbs": [self.verb], **names}


_CORE = ("pods", "services", "configmaps", "persistentvolumeclaims", "resourcequotas", "limitranges")
_OTHER = (
    "apps/statefulsets",
    "apps/deployments",
    "networking.k8s.io/networkpolicies",
    "networking.k8s.io/ingresses",
    "policy/poddisruptionbudgets",
    "autoscaling/horizontalpodautoscalers",
    "gateway.networking.k8s.io/httproutes",
    "kubevirt.io/virtualmachines",
    "pool.kubevirt.io/virtualmachinepools",
    "cdi.kubevirt.io/datavolumes",
    "snapshot.storage.k8s.io/volumesnapshots",
)
_OWNERS = ("sellers", "sellervms", "sellerrdses", "pushsubscriptions", "integrationtenants")
_KINDS = (*_OWNERS, "serviceplans", "promotions", "operations", "integrationapps")
_BOUND = {
    "cairn-seller-namespace": "cairn-operator",
    "cairn-app-namespace": "cairn-operator",
    "cairn-owner": "cairn-main-owner",
    "cairn-operator-staff": "cairn-main-operator",
    "cairn-support": "cairn-main-support",
    "cairn-isv-developer": "cairn-developers",
}
"""The ClusterRoles that it may bind by that verb, and the names of the RoleBindings. RBAC lets anybody bind what they
hold themselves: so it needs no such right for cairn-finance and cairn-viewer."""


def rights(where: str, verbs: str, *resources: str, name: str = "") -> Iterator[Right]:
    return (Right(where, verb, resource, name) for resource in resources for verb in verbs.split())


NEEDS = [
    # kopf lists and watches every kind; the engine reads one anew before it acts on it
    *rights("cluster", "get list watch", "namespaces", *_CORE, *_OTHER, "kubevirt.io/virtualmachineinstances"),
    # its own kinds: read; finalizer and status by server-side apply, on objects that exist
    *rights("cluster", "get list watch patch", *(f"cairn.dev/{kind}" for kind in _KINDS)),
    *rights("cluster", "patch", *(f"cairn.dev/{kind}/status" for kind in _KINDS)),
    # an owner reference that blocks deletion
    *rights("cluster", "update", *(f"cairn.dev/{kind}/finalizers" for kind in _OWNERS)),
    # a Seller, an app: its namespace, its own way into it, and that of people
    *rights("cluster", "create patch", "namespaces"),
    *rights("cluster", "get create patch", "rbac.authorization.k8s.io/rolebindings"),
    *(Right("cluster", "bind", "rbac.authorization.k8s.io/clusterroles", role) for role in _BOUND),
    # a volume with data is kept, and grows where its class lets it; transitions are told
    *rights("cluster", "get patch", "persistentvolumes"),
    *rights("cluster", "get", "storage.k8s.io/storageclasses"),
    *rights("cluster", "get list", "snapshot.storage.k8s.io/volumesnapshotclasses"),
    *rights("cluster", "create", "events"),
    # room for a promotion; what KubeVirt can do here
    *rights("cluster", "list", "nodes"),
    *rights("cluster", "get", "kubevirt.io/kubevirts"),
    # children are applied (create and patch), pruned (delete)
    *rights("seller", "create patch delete", *_CORE[1:], *_OTHER),
    *rights("seller", "get create patch delete", "secrets"),
    *rights("seller", "patch", "pods/resize"),
    # a clone loses its traffic; a database is restarted, a machine too
    *rights("seller", "patch delete", "pods"),
    *rights("seller", "delete", "kubevirt.io/virtualmachineinstances"),
    # load of machines
    *rights("seller", "list", "metrics.k8s.io/pods"),
    # an Operation: the machine that it clones; its own end
    *rights("seller", "create", "cairn.dev/sellervms"),
    *rights("seller", "delete", "cairn.dev/operations"),
    # staff who go
    *rights("seller", "delete", "rbac.authorization.k8s.io/rolebindings"),
    # an app: its connection, its bounds, its network; developers who go
    *rights("app", "get create patch delete", "secrets"),
    *rights("app", "create patch", "resourcequotas", "limitranges"),
    *rights("app", "create patch delete", "networking.k8s.io/networkpolicies"),
    *rights("app", "delete", "rbac.authorization.k8s.io/rolebindings"),
    # an image of the platform, from the one namespace with images
    *rights("images", "get", "cdi.kubevirt.io/datasources"),
    *rights("images", "create", "cdi.kubevirt.io/datavolumes/source"),
    # the Lease, and the bus account
    *rights("own", "create", "coordination.k8s.io/leases"),
    *rights("own", "get update", "coordination.k8s.io/leases", name="cairn-operator"),
    *rights("own", "get", "secrets", name="cairn-bus-account"),
    # a subscription of a shared plan: into the pool, its wishes, and out of it
    *rights("pool", "get create patch delete", "coordination.k8s.io/leases", "secrets"),
    # the pool's size
    *rights("pool", "list", "coordination.k8s.io/leases"),
    *rights("pool", "patch", "apps/deployments/scale", name="cairn-pool"),
]

_VERSIONS = {resource.group: resource.version for resource in (*foreign.RESOURCES, SELLERS, HPA)}
_NAMESPACES = {"cluster": SELLER, "seller": SELLER, "app": APP, "images": IMAGES, "own": SYSTEM, "pool": POOL}
_ROLE = {
    "cluster": f"{ROLES}/clusterroles/cairn-operator",
    "seller": f"{ROLES}/clusterroles/cairn-seller-namespace",
    "app": f"{ROLES}/clusterroles/cairn-app-namespace",
    "images": f"{ROLES}/namespaces/{IMAGES}/roles/cairn-images",
    "own": f"{ROLES}/namespaces/{SYSTEM}/roles/cairn-operator",
    "pool": f"{ROLES}/namespaces/{POOL}/roles/cairn-operator",
}
_serial = itertools.count(1)


def collection(right: Right, namespace: str = "") -> str:
    plural = right.plural.split("/")[0]
    root = f"/apis/{right.group}/{_VERSIONS.get(right.group, 'v1')}" if right.group else "/api/v1"
    inside = f"/namespaces/{namespace}" if namespace and plural not in CLUSTER_SCOPED else ""
    return f"{root}{inside}/{plural}"


def deed(cluster: Charted, right: Right) -> Answer:
    """Do as the operator what this right is for."""
    return _Deed(cluster, right)()


class _Deed:
    def __init__(self, cluster: Charted, right: Right) -> None:
        self.cluster = cluster
        self.right = right
        self.operator = cluster.operator
        # a Seller's events stand in `default`, as those of every cluster-scoped object
        self.namespace = "default" if right.resource == "events" else _NAMESPACES[right.where]
        self.name = right.name or f"t{next(_serial)}"
        self.path = collection(right, self.namespace)

    def __call__(self) -> Answer:
        special = {"bind": self.bind, "finalizers": self.own, "resize": self.resize, "status": self.status}
        special |= {"source": self.ask, "scale": self.scale}
        for part, do in special.items():
            if self.right.verb == part or self.right.plural.endswith(f"/{part}"):
                return do()
        if self.right.verb == "create" and self.right.plural == "rolebindings":
            return self.bind()
        return getattr(self, self.right.verb)()  # type: ignore[no-any-return]

    def list(self) -> Answer:
        path = collection(self.right) if self.right.where == "cluster" else self.path
        return self.operator.get(f"{path}?limit=1")

    def watch(self) -> Answer:
        return self.operator.get(collection(self.right) + "?watch=true&timeoutSeconds=1")

    def get(self) -> Answer:
        return self.operator.get(f"{self.path}/{self.made()}")

    def create(self) -> Answer:
        if self.right.plural in ("secrets", "events", "leases"):
            return self.operator.create(self.path, self.sample())
        # Everything else by server-side apply, for which the API server asks for patch and for create.
        return self.operator.apply(f"{self.path}/{self.name}", self.sample())

    def patch(self) -> Answer:
        if self.right.plural == "persistentvolumes":
            kept = {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}
            return self.operator.merge(f"{self.path}/{self.made()}", kept)
        return self.operator.apply(f"{self.path}/{self.made()}", self.annotated())

    def update(self) -> Answer:
        self.made()
        return self.operator("PUT", f"{self.path}/{self.name}", self.cluster.admin.get(f"{self.path}/{self.name}").body)

    def delete(self) -> Answer:
        return self.operator.delete(f"{self.path}/{self.made()}")

    def status(self) -> Answer:
        body = {**self.identity(), "status": {"observedGeneration": 1}}
        return self.operator.apply(f"{self.path}/{self.made()}/status", body)

    def resize(self) -> Answer:
        pod = self.cluster.admin.get(f"{self.path}/{self.made()}").body
        containers = pod["spec"]["containers"]
        containers[0]["resources"] = {"requests": {"cpu": "20m"}, "limits": {"memory": "64Mi"}}
        return self.operator.merge(f"{self.path}/{self.name}/resize", {"spec": {"containers": containers}})

    def ask(self) -> Answer:
        """Of what KubeVirt's and CDI's own servers ask the authorizer: the same question."""
        allowed = may(self.cluster, self.right)
        return Answer(200 if allowed else 403, {})

    def scale(self) -> Answer:
        return self.operator.merge(f"{self.path}/{self.name}/scale", {"spec": {"replicas": 1}})

    def own(self) -> Answer:
        """Make a child whose owner reference blocks the owner's deletion."""
        owner = self.cluster.admin.get(f"{self.path}/{self.made()}").body
        reference = {k: owner[k] for k in ("apiVersion", "kind")} | {k: owner["metadata"][k] for k in ("name", "uid")}
        child = sample("configmaps", self.name, SELLER)
        child["metadata"]["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]
        path = f"/api/v1/namespaces/{SELLER}/configmaps"
        # The plugin that checks this learns of new kinds every 30 s.
        return until(lambda: self.operator.create(path, child), lambda a: "RESTMapping" not in a.message, seconds=60)

    def bind(self) -> Answer:
        """Give itself the role, or people theirs, in a namespace that it has made."""
        role = self.right.name or "cairn-seller-namespace"
        number = next(_serial)
        name, labels = f"seller-t{number}", LABELS
        if role in ("cairn-app-namespace", "cairn-isv-developer"):
            name, labels = f"cairn-2088-t{number}", APP_LABELS | {"cairn.dev/app": f"t{number}"}
        assert self.operator.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}}).ok
        path = f"{ROLES}/namespaces/{name}/rolebindings"
        people = {"kind": "Group", "name": "cairn:2088:boss"}
        subject = {
            "cairn-operator": OPERATOR_SUBJECT,
            "cairn-developers": {"kind": "Group", "name": "cairn:isv:23456789:li"},
        }
        body = binding(_BOUND[role], role, subject.get(_BOUND[role], people))
        seen = "in namespaces of Sellers only"  # until admission has seen the new namespace
        return until(lambda: self.operator.create(path, body), lambda a: seen not in a.message)

    def sample(self) -> dict[str, Any]:
        body = sample(self.right.plural.split("/")[0], self.name, self.namespace)
        if self.right.group == PODMETRICS.group:
            return {"apiVersion": PODMETRICS.api_version, "kind": PODMETRICS.kind, "metadata": body["metadata"]}
        if self.right.plural == "namespaces":
            body["metadata"]["labels"] = dict(LABELS)
        return body

    def identity(self) -> dict[str, Any]:
        full = self.sample()
        meta = {k: v for k, v in full["metadata"].items() if k in ("name", "namespace")}
        return {"apiVersion": full["apiVersion"], "kind": full["kind"], "metadata": meta}

    def annotated(self) -> dict[str, Any]:
        body = self.identity()
        body["metadata"]["annotations"] = {"cairn.dev/applied": "1"}
        return body

    def given(self) -> str:
        """A role that the operator has given to staff."""
        self.name = f"cairn-{self.name}-viewer"
        body = binding(self.name, "cairn-viewer", {"kind": "Group", "name": "cairn:2088:li"})
        body["metadata"] |= {"labels": {"app.kubernetes.io/managed-by": "cairn"}}
        made = self.operator.create(self.path, body)
        assert made.ok, str(made)
        return self.name

    def made(self) -> str:
        """The object's name, after an admin has made it."""
        if self.right.plural == "rolebindings" and self.right.where != "cluster":
            return self.given()
        if self.right.plural == "rolebindings":
            self.name = "cairn-operator"  # the one in the Seller's namespace
            return self.name
        if self.right.plural == "namespaces":
            self.name = SELLER
            return self.name
        answer = self.cluster.admin.create(self.path, self.sample())
        assert answer.ok or answer.status == 409, str(answer)
        return self.name


def live_rights(cluster: Charted) -> list[Right]:
    """Every right that the API server's roles give, rule by rule."""
    found = []
    for where, path in _ROLE.items():
        for rule in cluster.admin.get(path).body["rules"]:
            for group, plural, verb, name in itertools.product(
                rule["apiGroups"], rule["resources"], rule["verbs"], rule.get("resourceNames", [""])
            ):
                found.append(Right(where, verb, f"{group}/{plural}" if group else plural, name))
    return found


@pytest.mark.parametrize("right", NEEDS, ids=str)
def test_operator_can(charted: Charted, right: Right) -> None:
    answer = deed(charted, right)
    assert answer.ok, f"{right}: {answer}"


@pytest.mark.parametrize("right", NEEDS, ids=str)
def test_operator_cannot_without_its_rule(charted: Charted, right: Right) -> None:
    """The request above needs this right: with it alone taken away, the API server refuses."""
    with without(charted, right):
        answer = deed(charted, right)
    assert answer.status == 403, f"{right} is allowed by another rule, or its test does not need it: {answer}"


@pytest.mark.parametrize("role", ["finance", "viewer"])
def test_operator_binds_to_people_what_it_may_read_itself(charted: Charted, role: str) -> None:
    body = binding(f"cairn-reading-{role}", f"cairn-{role}", {"kind": "Group", "name": "cairn:2088:li"})
    answer = charted.operator.create(f"{ROLES}/namespaces/{SELLER}/rolebindings", body)
    assert answer.ok, answer


def test_rules_none_is_superfluous(charted: Charted) -> None:
    found = live_rights(charted)
    assert len(found) == len(set(found)), "a right is given twice"
    assert sorted(map(str, set(found) - set(NEEDS))) == [], "the chart gives what no test needs"
    assert set(found) == set(NEEDS)


def test_rules_have_no_wildcard_and_no_way_up(charted: Charted) -> None:
    for right in live_rights(charted):
        assert "*" not in (right.verb, right.plural, right.group)
        assert right.verb not in ("escalate", "impersonate", "deletecollection")
        assert right.verb != "bind" or right.name in _BOUND
        assert right.plural != "secrets" or right.where != "cluster"


@contextmanager
def without(cluster: Charted, right: Right) -> Iterator[None]:
    """The chart's roles less one right, seen by the authorizer on entry, whole again on exit."""
    path = _ROLE[right.where]
    whole = cluster.admin.get(path).body["rules"]
    rules = [one.rule() for one in live_rights(cluster) if one.where == right.where and one != right]
    assert cluster.admin.merge(path, {"rules": rules}).ok
    try:
        until(lambda: may(cluster, right), lambda allowed: not allowed)
        yield
    finally:
        assert cluster.admin.merge(path, {"rules": whole}).ok
        until(lambda: may(cluster, right), bool)


def may(cluster: Charted, right: Right) -> bool:
    """What the authorizer says, which learns of a changed role a moment later."""
    plural, _, sub = right.plural.partition("/")
    namespace = "" if right.where == "cluster" else _NAMESPACES[right.where]
    attributes = {"verb": right.verb, "group": right.group, "resource": plural, "subresource": sub}
    attributes |= {"name": right.name, "namespace": namespace, "version": "*"}
    body = {"spec": {"resourceAttributes": attributes}, "apiVersion": "authorization.k8s.io/v1"}
    answer = cluster.operator.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body)
    return bool(answer.body["status"]["allowed"])
