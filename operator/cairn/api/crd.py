# SPDX-License-Identifier: Apache-2.0
"""The CustomResourceDefinitions: crds/*.yaml are what this prints."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from pydantic import BaseModel

from cairn.api.base import CustomObject
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.operation import Operation
from cairn.api.promotion import Promotion
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import (
    INTEGRATIONAPP,
    INTEGRATIONTENANT,
    OPERATION,
    PROMOTION,
    PUSHSUBSCRIPTION,
    SELLER,
    SELLERRDS,
    SELLERVM,
    SERVICEPLAN,
    Obj,
    Resource,
)
from cairn.api.seller import Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.api.structural import Schema, structural
from cairn.api.text import to_yaml

_HEADER = (
    "# SPDX-License-Identifier: Apache-2.0\n# Generated from operator/cairn/api by `cairn crds`: change the models.\n"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`. Wide ones are shown with -o wide only."""

    name: str
    path: str
    type: str = "string"
    description: str = ""
    wide: bool = False

    def manifest(self) -> Obj:
        shown: Obj = {"name": self.name, "type": self.type, "jsonPath": self.path, "description": self.description}
        return shown | ({"priority": 1} if self.wide else {})


def _condition(name: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{name}")].{field}'


_READY = (
    Column("Ready", _condition("Ready", "status"), description="Whether it stands as asked."),
    Column("Reason", _condition("Ready", "reason"), description="Why it is ready or not."),
)
_COST = (
    Column("Month", ".status.cost.month", description="What it costs this month.", wide=True),
    Column("Promotions", ".status.cost.promotions", description="What promotions add for sure.", wide=True),
)
_END = (
    Column("Message", _condition("Ready", "message"), description="The same for people.", wide=True),
    Column("Age", ".metadata.creationTimestamp", "date", "Since when it exists."),
)


@dataclass(frozen=True, slots=True)
class Crd:
    """One kind: where it is served, what it is called, what it looks like."""

    resource: Resource
    model: type[CustomObject]
    short_name: str
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        return f"{self.resource.plural}.{self.resource.group}"

    def schema(self) -> Schema:
        """The structural schema of the whole object, with the rules as objects under `x-rules`. Not to be changed."""
        return _schema(self.model)

    def manifest(self) -> Obj:
        """The CustomResourceDefinition."""
        resource = self.resource
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name},
            "spec": {
                "group": resource.group,
                "scope": "Namespaced" if resource.namespaced else "Cluster",
                "names": {
                    "kind": resource.kind,
                    "listKind": f"{resource.kind}List",
                    "plural": resource.plural,
                    "singular": resource.kind.lower(),
                    "shortNames": [self.short_name],
                    "categories": ["cairn"],
                },
                "versions": [
                    {
                        "name": resource.version,
                        "served": True,
                        "storage": True,
                        "additionalPrinterColumns": [c.manifest() for c in (*_READY, *self.columns, *_END)],
                        "subresources": {"status": {}},
                        "schema": {"openAPIV3Schema": written(self.schema())},
                    }
                ],
            },
        }


@cache
def _schema(model: type[CustomObject]) -> Schema:
    return {
        "type": "object",
        "description": model.__doc__,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this schema."},
            "kind": {"type": "string", "description": "Kind of this object."},
            "metadata": {"type": "object", "properties": {"name": {"type": "string"}}},
            "spec": _part(model, "spec"),
            "status": _undefaulted(_part(model, "status")),
        },
        "x-rules": list(model.rules),
    }


def _part(model: type[CustomObject], name: str) -> Schema:
    field = model.model_fields[name]
    part: type[BaseModel] = field.annotation  # type: ignore[assignment]  # spec and status are models
    return structural(part) | {"description": field.description}


def _undefaulted(schema: Schema) -> Schema:
    """Without defaults: what the operator writes into a status is what stands there."""
    out = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in out:
        out["properties"] = {name: _undefaulted(node) for name, node in out["properties"].items()}
    if "items" in out:
        out["items"] = _undefaulted(out["items"])
    return out


def written(schema: Schema) -> Schema:
    """A schema as the API server reads it: rules as x-kubernetes-validations."""
    out = {key: value for key, value in schema.items() if key != "x-rules"}
    if "properties" in out:
        out["properties"] = {name: written(node) for name, node in out["properties"].items()}
    if "items" in out:
        out["items"] = written(out["items"])
    if rules := schema.get("x-rules"):
        out["x-kubernetes-validations"] = [rule.validation() for rule in rules]
    return out


CRDS = (
    Crd(
        SELLER,
        Seller,
        "seller",
        (
            Column("ID", ".spec.id", description="The seller's number on the platform."),
            Column("Namespace", ".status.namespace", description="The seller's namespace."),
            Column("Plan", ".spec.planRef.name", description="The quota's plan."),
            Column("Month", ".status.cost.month", description="What the plan costs this month.", wide=True),
        ),
    ),
    Crd(
        SERVICEPLAN,
        ServicePlan,
        "splan",
        (
            Column("For", ".spec.for", description="The kind that may use it."),
            Column("CPU", ".spec.size.cpu", description="Cores."),
            Column("Memory", ".spec.size.memory", description="Memory."),
            Column("Storage", ".spec.size.storage", description="Storage."),
            Column("Price", ".status.price.monthly", description="Price of a month now."),
            Column("Hour", ".status.price.hourly", description="Price of an hour now, for promotions.", wide=True),
            Column("Used", ".status.usedBy", "integer", "How many objects use it."),
            Column("Deprecated", ".spec.deprecated", "boolean", "Whether new users are refused.", wide=True),
        ),
    ),
    Crd(
        SELLERRDS,
        SellerRDS,
        "srds",
        (
            Column("Plan", ".status.plan.current", description="The plan in force."),
            Column("CPU", ".status.size.cpu", description="Cores of the running pod."),
            Column("Memory", ".status.size.memory", description="Memory of the running pod."),
            Column("Storage", ".status.size.storage", description="Capacity of the data volume."),
            Column("Endpoint", ".status.endpoint.host", description="Where to connect."),
            Column("Version", ".status.version", description="Version that the server reports.", wide=True),
            Column("Restarts", ".status.pod.restarts", "integer", "Restarts of the container.", wide=True),
            *_COST,
        ),
    ),
    Crd(
        SELLERVM,
        SellerVM,
        "svm",
        (
            Column("Plan", ".status.plan.current", description="The plan in force."),
            Column("CPU", ".status.size.cpu", description="vCPU of the running guest."),
            Column("Memory", ".status.size.memory", description="Memory of the running guest."),
            Column("Clones", ".status.clones.ready", "integer", "Clones that get traffic."),
            Column("Until", ".status.plan.until", description="Until when a promotion holds it."),
            Column("Phase", ".status.machine.phase", description="What KubeVirt says.", wide=True),
            Column("Node", ".status.machine.node", description="The node it runs on.", wide=True),
            Column("Address", ".status.machine.address", description="Its address in the cluster.", wide=True),
            Column("Next", ".status.next.what", description="What happens next by the calendar.", wide=True),
            *_COST,
        ),
    ),
    Crd(
        PROMOTION,
        Promotion,
        "promo",
        (
            Column("Title", ".spec.title", description="What people call it."),
            Column("Phase", ".status.phase", description="Where it stands now."),
            Column("Next", ".status.next.what", description="What happens next by the calendar."),
            Column("At", ".status.next.at", description="When."),
            Column("Fits", _condition("PeakFits", "status"), description="Whether everything fits."),
            Column("Participants", ".status.participants", "integer", "How many resources take part."),
        ),
    ),
    Crd(
        OPERATION,
        Operation,
        "op",
        (
            Column("Action", ".spec.action", description="What is done."),
            Column("Kind", ".spec.target.kind", description="What it is done to."),
            Column("Name", ".spec.target.name", description="What it is done to."),
            Column("Phase", ".status.phase", description="Where it stands."),
        ),
    ),
    Crd(
        PUSHSUBSCRIPTION,
        PushSubscription,
        "push",
        (
            Column("Database", ".spec.databaseRef.name", description="The SellerRDS that is written to."),
            Column("Lag", ".status.lag.pending", "integer", "Messages that wait on the bus."),
            Column("Quarantined", ".status.quarantined", "integer", "Records that could not be written."),
            Column("Datasets", ".spec.datasets", description="Kinds of records.", wide=True),
            Column("Restarts", ".status.worker.restarts", "integer", "Restarts of the worker.", wide=True),
            *_COST,
        ),
    ),
    Crd(
        INTEGRATIONTENANT,
        IntegrationTenant,
        "itenant",
        (
            Column("Database", ".spec.databaseRef.name", description="The SellerRDS that holds the data."),
            Column("Verified", _condition("AclVerified", "status"), description="Whether all rights are exact."),
            Column("At", ".status.verifiedAt", "date", "When they were last found to be."),
            Column("Pending", _condition("PendingConsent", "status"), description="Whether an app waits for consent."),
            Column("Next", ".status.next.what", description="What happens next by the calendar.", wide=True),
        ),
    ),
    Crd(
        INTEGRATIONAPP,
        IntegrationApp,
        "iapp",
        (
            Column("Tenant", ".status.tenant", description="The IntegrationTenant that admits it."),
            Column("Granted", ".status.granted", description="Contracts of which something is effective."),
            Column("Pending", _condition("PendingConsent", "status"), description="Whether it waits for consent."),
            Column("Secret", ".status.secretName", description="Secret with the connection."),
            Column("Denied", ".status.denied", description="Optional columns that are not granted.", wide=True),
            Column("Passwords", ".status.credentialGeneration", "integer", "How many it has had.", wide=True),
        ),
    ),
)

BY_KIND = {crd.resource.kind: crd for crd in CRDS}


def files() -> dict[str, str]:
    """Content of crds/ by file name."""
    return {f"{crd.resource.plural}.yaml": _HEADER + to_yaml(crd.manifest()) for crd in CRDS}
