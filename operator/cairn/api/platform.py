# SPDX-License-Identifier: Apache-2.0
"""What the platform that runs Cairn decides once, for all sellers: one YAML file, mounted from a ConfigMap."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from cairn.api.base import ObjectName, Quantity
from cairn.api.dataset import Dataset


class Setting(BaseModel):
    """A part of the settings. A key nobody knows is refused: it would be a setting that does nothing."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )


class Images(Setting):
    """Container images."""

    cairn: Annotated[str, Field(min_length=1)] = "cairn.local/cairn:dev"
    """Image of Cairn itself; the push workers run it too."""
    postgresql: Annotated[str, Field(min_length=1)] = "postgres:{version}"
    """Image of PostgreSQL; `{version}` becomes spec.version. It needs no more than PostgreSQL's own programs."""

    def postgresql_of(self, version: str) -> str:
        """The image for one major version."""
        return self.postgresql.replace("{version}", version)


class BusPeer(Setting):
    """Where the bus runs, as a NetworkPolicy peer."""

    namespace_labels: Annotated[dict[str, str], Field(min_length=1)]
    """Labels of the bus's namespace."""


class Bus(Setting):
    """The bus that records travel on (NATS JetStream)."""

    url: Annotated[str, Field(pattern=r"^(nats|tls)://")] = "nats://cairn-nats.cairn-system.svc:4222"
    """Where operator, workers and gateway reach it."""
    stream: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = "PUSH"
    """Name of the stream."""
    account_secret: ObjectName = "cairn-bus-account"
    """Secret in Cairn's namespace with the account's signing key and the operator's own credentials."""
    stream_size: Quantity = "4Gi"
    """Most that the stream may hold. When it is full the bus refuses records, and the platform keeps them."""
    seller_share: Annotated[float, Field(ge=0.01, le=1)] = 0.1
    """Part of the stream that may wait of one seller. Beyond it the gateway refuses this seller's records alone."""
    replicas: Annotated[int, Field(ge=1, le=5)] = 1
    """Copies of the stream: 3 in production, on as many servers. 1 for a single server."""
    peers: tuple[BusPeer, ...] = (BusPeer(namespace_labels={"kubernetes.io/metadata.name": "cairn-system"}),)
    """Where workers may connect to for the bus: egress of their NetworkPolicy."""


class ExternalDatabases(Setting):
    """Limits to databases that Cairn doesn't run."""

    denied_networks: tuple[IPv4Network | IPv6Network, ...] = (
        IPv4Network("127.0.0.0/8"),
        IPv4Network("169.254.0.0/16"),
        IPv6Network("::1/128"),
        IPv6Network("fe80::/10"),
    )
    """The operator never connects there, whatever a seller's spec says: its own loopback, the cloud's metadata. Add
    the networks of nodes and control plane."""


class Gateway(Setting):
    """A Gateway that HTTPRoutes of exposed machines attach to."""

    name: ObjectName
    """Name of the Gateway."""
    namespace: ObjectName
    """Its namespace; the Gateway must allow routes from sellers' namespaces."""
    section_name: ObjectName | None = None
    """Its listener for plain HTTP, where it has several."""
    tls_section_name: ObjectName | None = None
    """Its listener for HTTPS, for machines with expose.tls."""


class VirtualMachines(Setting):
    """What machines need of the platform."""

    image_namespace: ObjectName = "cairn-images"
    """The one namespace with images: each is a CDI DataSource there, and machines name it by image.name."""
    snapshot_class: ObjectName | None = None
    """VolumeSnapshotClass of snapshots; by default the cluster's default for the disk's driver."""
    gateway: Gateway | None = None
    """Where exposed machines are reached. Without one an Ingress is made."""
    ingress_class: ObjectName | None = None
    """Class of those Ingresses; by default the cluster's."""
    edge_namespaces: tuple[ObjectName, ...] = ()
    """Namespaces of the gateway's or ingress controller's pods: they may connect to the exposed port."""
    denied_networks: tuple[IPv4Network | IPv6Network, ...] = (
        IPv4Network("10.0.0.0/8"),
        IPv4Network("169.254.0.0/16"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv6Network("fc00::/7"),
        IPv6Network("fe80::/10"),
    )
    """Where no image is downloaded from (image.http, image.registry), whatever a seller's spec says."""


_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")


class Identity(Setting):
    """Where people sign in once for all: what is delivered to apps, in the Secret with their connection."""

    issuer: Annotated[str, Field(pattern=r"^https://[^\s?#]+$", max_length=512)] | None = None
    """The OpenID Connect issuer. Without one nothing about signing in is delivered."""
    client_id: Annotated[str, Field(min_length=1, max_length=255)] = "{namespace}"
    """Client of an app: `{namespace}` is that of the app, `{seller}` the seller's id, `{app}` the app's name. One for
    each app: a token for one app must be none for another, and none for the API server."""
    role_claim: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_./:-]{0,127}$")] = "cairn_role"
    """Claim of the ID token with the account's role: owner, operator, finance, support or viewer."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where the issuer is: apps may connect there, to the port of its URL."""

    @field_validator("client_id")
    @classmethod
    def _one_per_app(cls, value: str) -> str:
        used = set(_PLACEHOLDER.findall(value))
        if unknown := used - {"namespace", "seller", "app"}:
            raise ValueError(f"{{{min(unknown)}}} is not known: there are {{namespace}}, {{seller}} and {{app}}")
        if not ("namespace" in used or {"seller", "app"} <= used):
            raise ValueError("must hold {namespace}, or {seller} and {app}: every app needs a client of its own")
        return value

    def client_id_of(self, namespace: str, seller_id: str, app: str) -> str:
        """The client of one app."""
        values = {"namespace": namespace, "seller": seller_id, "app": app}
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.client_id)


class Source(Setting):
    """Where the platform answers for the records that it pushed."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", max_length=512)]
    """Base of the protocol that docs/push.md describes."""
    key_secret: ObjectName = "cairn-source"
    """Secret in Cairn's namespace: `source.key`, which the keys of sellers are made of, and `ca.crt`, the authority
    that its certificate is held to, where that is none of the system's."""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where it is: workers may connect there, to the port of its URL."""


class Pool(Setting):
    """The workers that subscriptions of shared plans have together."""

    namespace: ObjectName = "cairn-push"
    """Where they run, with a Secret for each subscription; nothing else is there."""
    min: Annotated[int, Field(ge=0)] = 0
    """The fewest members."""
    max: Annotated[int, Field(ge=0)] = 10
    """The most members. Who has no room among so many waits."""
    cpu: Quantity = "1"
    """Processors of a member."""
    memory: Quantity = "1Gi"
    """Memory of a member."""

    @model_validator(mode="after")
    def _in_order(self) -> Pool:
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is more than max ({self.max})")
        return self


class Push(Setting):
    """What pushing needs of the platform."""

    source: Source | None = None
    """Without one no history is brought in, and nothing is compared."""
    pool: Pool = Pool()
    """The workers that subscriptions of shared plans have together."""


class Platform(Setting):
    """All settings. Every one has a default that suits the demo; production names images, bus and networks."""

    namespace: ObjectName = "cairn-system"
    """Where Cairn itself runs."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "CNY"
    """Currency of all prices, as ISO 4217 code."""
    images: Images = Images()
    """Container images."""
    bus: Bus = Bus()
    """The bus that records travel on."""
    external_databases: ExternalDatabases = ExternalDatabases()
    """Limits to databases that Cairn doesn't run."""
    virtual_machines: VirtualMachines = VirtualMachines()
    """What machines need of the platform."""
    identity: Identity = Identity()
    """Where people sign in once for all."""
    push: Push = Push()
    """What pushing needs of the platform."""
    datasets: Annotated[tuple[Dataset, ...], Field(max_length=32)] = ()
    """Kinds of records beside those that ship: descriptors as in cairn/datasets."""
    elastic_nodes: bool = False
    """Whether a cluster autoscaler adds nodes: then too little free on nodes makes PeakFits Unknown, not False."""
    operation_days: Annotated[int, Field(ge=1, le=365)] = 7
    """How long Operations that ended are kept."""

    @classmethod
    def load(cls, path: Path) -> Platform:
        """Settings from a YAML file; an empty file means all defaults. OSError, or ValueError that names the key."""
        text = path.read_text(encoding="utf-8")
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is no YAML: {error}") from error
        return cls.model_validate(found or {})
