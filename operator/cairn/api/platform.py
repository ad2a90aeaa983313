# SPDX-License-Identifier: Apache-2.0
"""What the platform that runs Cairn decides once, for all sellers: one YAML file, mounted from a ConfigMap."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from cairn.api.base import ObjectName, Quantity


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

    @classmethod
    def load(cls, path: Path) -> Platform:
        """Settings from a YAML file; an empty file means all defaults. OSError, or ValueError that names the key."""
        text = path.read_text(encoding="utf-8")
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is no YAML: {error}") from error
        return cls.model_validate(found or {})
