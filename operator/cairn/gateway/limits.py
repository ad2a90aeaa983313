# SPDX-License-Identifier: Apache-2.0
"""How many records a seller may hand in: a token bucket each. Pure: the time is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

KEPT = 10_000
"""Buckets that are kept; beyond it, those that are full again go: they say what no bucket says."""


class Rate(BaseModel):
    """0 records a second: no limit."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True, frozen=True)

    records_per_second: float = Field(default=0, ge=0, allow_inf_nan=False)
    burst: int = Field(default=10_000, ge=1)


class Limits(Rate):
    """The rate of every seller, and of those that have one of their own."""

    sellers: dict[str, Rate] = {}

    def of(self, seller: str) -> Rate:
        return self.sellers.get(seller, self)

    @classmethod
    def load(cls, file: Path) -> Limits:
        """OSError, or ValueError that names file, field and value."""
        try:
            return cls.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            where = ".".join(map(str, found["loc"])) or "the file"
            raise ValueError(f"{file}: {where}: {found['msg']}, not {found['input']!r}") from error
        except yaml.YAMLError as error:
            raise ValueError(f"{file}: not YAML: {error}") from error


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Buckets:
    """A request is let in while its seller's bucket holds anything, and may overdraw it: no batch is too large."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, seller: str, now: float) -> float:
        """Seconds until the seller's next request is let in; 0 for at once."""
        bucket = self._filled(seller, now)
        rate = self._limits.of(seller).records_per_second
        return 0.0 if bucket is None or bucket.tokens > 0 else (1 - bucket.tokens) / rate

    def take(self, seller: str, records: int, now: float) -> None:
        """A negative number gives back what was not taken on after all."""
        rate = self._limits.of(seller)
        if not rate.records_per_second:
            return
        bucket = self._filled(seller, now)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[seller] = _Bucket(float(rate.burst), now)
        bucket.tokens = min(float(rate.burst), bucket.tokens - records)

    def _filled(self, seller: str, now: float) -> _Bucket | None:
        bucket = self._buckets.get(seller)
        if bucket is not None:
            rate = self._limits.of(seller)
            bucket.tokens = min(float(rate.burst), bucket.tokens + (now - bucket.at) * rate.records_per_second)
            bucket.at = now
        return bucket

    def _make_room(self, now: float) -> None:
        if len(self._buckets) >= KEPT:
            for seller in list(self._buckets):
                bucket = self._filled(seller, now)
                if bucket is not None and bucket.tokens >= self._limits.of(seller).burst:
                    del self._buckets[seller]
