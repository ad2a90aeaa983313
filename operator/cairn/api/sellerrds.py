# SPDX-License-Identifier: Apache-2.0
"""SellerRDS: a database server of the seller's, run by Cairn or only known to it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import (
    NAME_IS_LABEL,
    NAME_LENGTH,
    Cost,
    Count,
    CustomObject,
    DatabaseName,
    Model,
    NameRef,
    NamespaceName,
    ObjectName,
    Quantity,
    Status,
    database_name_free,
    listed,
)
from cairn.api.engines import ENGINES, EngineName, Traits
from cairn.api.rds_rules import EXTERNAL_RULES, SPEC_RULES
from cairn.api.rules import Rule, between
from cairn.api.schedule import Maintenance, Next, Participation, PlanStatus
from cairn.api.serviceplan import Connections

Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9.:]*[A-Za-z0-9])?$")]


class Resources(Model):
    """A size of one's own, instead of a plan."""

    rules: ClassVar[tuple[Rule, ...]] = (
        between("resources.cpu", "10m", "4096"),
        between("resources.memory", "128Mi", "64Ti"),
    )

    cpu: Quantity
    """Cores, such as 500m or 4."""
    memory: Quantity
    """Memory, such as 16Gi."""
    connections: Connections = 100
    """Connections that clients may open."""


class External(Model):
    """A server that Cairn doesn't run and only connects to."""

    rules: ClassVar[tuple[Rule, ...]] = EXTERNAL_RULES

    host: Host
    """Host name or IP address."""
    port: Port | None = None
    """TCP port; by default the engine's own, 5432 or 3306."""
    admin_secret_ref: NameRef
    """Secret with the keys username and password of a login that may create databases and roles."""
    tls: Literal["Require", "VerifyCA"] = "VerifyCA"
    """VerifyCA: the server's certificate is checked against caSecretRef. Require: encrypted, but not checked."""
    ca_secret_ref: NameRef | None = None
    """Secret with the key ca.crt: certificates that the server's is checked against. For VerifyCA."""


class Storage(Model):
    """The data volume."""

    rules: ClassVar[tuple[Rule, ...]] = (between("storage.size", "64Mi", "1Pi"),)

    size: Quantity | None = None
    """Size of the data volume; by default what the plan includes. It can grow and never shrinks."""
    class_: Annotated[str | None, Field(alias="class", min_length=1, max_length=253)] = None
    """StorageClass; by default the cluster's. Immutable."""


class Database(Model):
    """A database on the server."""

    rules: ClassVar[tuple[Rule, ...]] = (database_name_free("name", "databases.name"),)

    name: DatabaseName
    """Name of the database: lower case letters, digits and underscores."""


class Access(Model):
    """Who may connect, beside the seller's own namespace."""

    from_namespaces: Annotated[tuple[NamespaceName, ...], Field(max_length=32, json_schema_extra=listed())] = ()
    """Namespaces whose pods may connect; everything else is denied."""


class SellerRDSSpec(Model):
    """The server that the seller wants. Exactly one of planRef, resources and external says how big or where."""

    rules: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    engine: EngineName = "postgresql"
    """Database engine; `mysql` is MariaDB too, and only for an external server. Immutable."""
    version: Annotated[str, Field(max_length=5, pattern=r"^(1[5-8]|[0-9]{1,2}[.][0-9]{1,2})$")]
    """Version of the engine, as a string: "15" to "18"; for mysql with its second number, such as "8.4" or "11.8"."""
    plan_ref: NameRef | None = None
    """ServicePlan for a SellerRDS: size and price."""
    resources: Resources | None = None
    """A size of one's own, instead of a plan."""
    external: External | None = None
    """A server that Cairn doesn't run. Whether it is external is immutable."""
    storage: Storage | None = None
    """The data volume. Not for an external server."""
    databases: Annotated[tuple[Database, ...], Field(max_length=64, json_schema_extra=listed("name"))] = ()
    """Databases on the server. Added ones are created; none is ever removed."""
    power_state: Literal["Running", "Stopped"] = "Running"
    """Whether the server runs. Its data stays."""
    access: Access = Access()
    """Who may connect, beside the seller's own namespace."""
    promotions: Annotated[tuple[Participation, ...], Field(max_length=16, json_schema_extra=listed("name"))] = ()
    """Promotions that the server takes part in: the seller pays, so the seller decides."""
    maintenance: Maintenance | None = None
    """When Cairn may restart the server for what can't be changed while it runs."""
    deletion_policy: Literal["Delete", "Retain"] = "Retain"
    """What becomes of volume and passwords when this object is deleted. Retain keeps them for `adopt`."""
    adopt: bool = False
    """Take over the data that an earlier SellerRDS of this name left, after checking whose it is."""
    suspend: bool = False
    """Cairn changes nothing while this is true, and says so in the condition Suspended."""

    @property
    def traits(self) -> Traits:
        return ENGINES[self.engine]

    @property
    def port(self) -> int:
        return (self.external.port if self.external else None) or self.traits.port

    @property
    def outside(self) -> tuple[str, int] | None:
        """Host and port of an external server."""
        return (self.external.host, self.port) if self.external else None


class Endpoint(Model):
    """Where to connect."""

    host: Annotated[str, Field(max_length=253)]
    """Host name."""
    port: Port
    """TCP port."""


class ServerSize(Model):
    """How big the server is."""

    cpu: Quantity | None = None
    """Cores of the running pod."""
    memory: Quantity | None = None
    """Memory of the running pod."""
    storage: Quantity | None = None
    """Capacity of the data volume."""


class Secrets(Model):
    """Names of the Secrets with credentials. Never their content."""

    owner: ObjectName | None = None
    """Login that owns the databases."""
    reader: ObjectName | None = None
    """Login that only reads."""
    admin: ObjectName | None = None
    """Login of the operator."""


class ServerPod(Model):
    """The pod that runs the server."""

    name: Annotated[str, Field(max_length=253)]
    """Name of the pod."""
    ready: bool = False
    """Whether it answers."""
    restarts: Count = 0
    """How often its container was restarted."""
    node: Annotated[str, Field(max_length=253)] | None = None
    """The node it runs on."""


class SellerRDSStatus(Status):
    """What Cairn found and did."""

    endpoint: Endpoint | None = None
    """Where to connect."""
    version: Annotated[str, Field(max_length=64)] | None = None
    """Version that the server reports."""
    size: ServerSize | None = None
    """How big the running server is."""
    system_identifier: Annotated[str, Field(max_length=64)] | None = None
    """The engine's own identity of the data, checked before anything is adopted."""
    secrets: Secrets | None = None
    """Names of the Secrets with credentials."""
    databases: Annotated[tuple[DatabaseName, ...], Field(max_length=64, json_schema_extra=listed())] | None = None
    """Databases that stand, with their roles."""
    pod: ServerPod | None = None
    """The pod that runs the server."""
    rendering: Annotated[str, Field(max_length=64)] | None = None
    """Revision of Cairn's rendering that the server runs with: an upgrade of Cairn alone restarts nothing."""
    plan: PlanStatus | None = None
    """The plan in force, and where it is going."""
    next: Next | None = None
    """What happens next by the calendar."""
    cost: Cost | None = None
    """What it costs."""


class SellerRDS(CustomObject):
    """A database server for one seller: run by Cairn with its volume, credentials and TLS, or an external one."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_LENGTH, NAME_IS_LABEL)

    kind: Literal["SellerRDS"] = "SellerRDS"
    spec: SellerRDSSpec
    """The server that the seller wants."""
    status: SellerRDSStatus = SellerRDSStatus()
    """What Cairn found and did."""
