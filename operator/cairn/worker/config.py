# SPDX-License-Identifier: Apache-2.0
"""What a worker is told: one JSON file, and secrets as files beside it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from cairn.api.dataset import Dataset
from cairn.sql.postgresql import Target
from cairn.sql.push.engines import EngineName


class _Setting(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


class TopicConfig(_Setting):
    """The seller's topic on a Kafka, as `cairn bus topic` prints it."""

    name: str
    id: str
    epoch: Annotated[int, Field(ge=1)]


class BusConfig(_Setting):
    """Where the records come from. credsFile: of NATS; topic: of Kafka."""

    url: str
    stream: str
    consumer: str
    creds_file: Path | None = None
    topic: TopicConfig | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        kafka = self.url.startswith("kafka://")
        if kafka and find_spec("confluent_kafka") is None:
            raise ValueError("url: kafka:// needs a client that is not installed: pip install 'cairn[kafka]'")
        if kafka is not (self.topic is not None):
            raise ValueError("topic: wanted with kafka:// and nothing else; `cairn bus topic` makes and prints it")
        if kafka is not (self.creds_file is None):
            raise ValueError("credsFile: wanted, but not with kafka://, where there are no logins yet")
        if self.topic is not None and not self.topic.name.startswith(f"{self.stream}."):
            raise ValueError(f"topic: {self.topic.name} is not of the stream {self.stream}")
        return self

    def creds(self) -> str:
        """Read at every (re)connect, so that a renewed Secret is used."""
        return "" if self.creds_file is None else self.creds_file.read_text(encoding="ascii")


class DatabaseConfig(_Setting):
    """Where they go. Without caFile the connection is encrypted but the server is not known; verifyHost: the
    certificate must also name the host."""

    engine: EngineName
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    database: str
    username_file: Path
    password_file: Path
    ca_file: Path | None = None
    verify_host: bool = True

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.engine == "sqlserver" and find_spec("pytds") is None:
            raise ValueError("engine: sqlserver needs a driver that is not installed: pip install 'cairn[sqlserver]'")
        if self.engine == "sqlserver" and self.ca_file is None:
            raise ValueError("caFile: missing: a SQL Server is connected to with its CA only")
        return self

    def target(self) -> Target:
        """Read at every (re)connect. OSError where a file is missing."""
        return Target(
            self.host,
            self.port,
            self.database,
            self.username_file.read_text(encoding="utf-8").strip(),
            self.password_file.read_text(encoding="utf-8").strip(),
            self.ca_file.read_bytes() if self.ca_file else None,
            verify_host=self.verify_host,
        )


class ProofConfig(_Setting):
    """The platform's side, to fetch history from and to compare with. seller: whose records they are."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    seller: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]
    key_file: Path
    ca_file: Path | None = None
    history_days: Annotated[int, Field(ge=0, le=90)] = 0
    max_rows_per_second: Annotated[int, Field(ge=1, le=100_000)] = 500
    repair: bool = True

    def key(self) -> bytes:
        """Read at every request."""
        return self.key_file.read_bytes().strip()

    def ca(self) -> bytes | None:
        return self.ca_file.read_bytes() if self.ca_file else None


class WorkerConfig(_Setting):
    """subscription: namespace/name, for logs and metrics. shops: nick by id; records of any other are quarantined.

    retention_days: how long records of datasets that expire are kept; 0 is for ever
    """

    subscription: str
    bus: BusConfig
    database: DatabaseConfig
    datasets: Annotated[tuple[Dataset, ...], Field(min_length=1)]
    shops: Annotated[dict[str, str], Field(min_length=1)]
    proof: ProofConfig | None = None
    retention_days: Annotated[int, Field(ge=0)] = 0
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    budget_bytes: Annotated[int, Field(ge=4 * 1024 * 1024)] = 32 * 1024 * 1024
    """Bytes of messages that may be in memory at a time; the process needs about four times as much."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [dataset.name for dataset in self.datasets]
        if len(set(names)) != len(names):
            raise ValueError("datasets: one is listed twice")
        return self

    @classmethod
    def load(cls, path: Path) -> WorkerConfig:
        """OSError, or ValueError that names the key."""
        return cls.model_validate_json(path.read_bytes())
