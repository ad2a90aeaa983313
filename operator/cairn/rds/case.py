# SPDX-License-Identifier: Apache-2.0
"""One server of our own in one pass: what was seen of it and what was decided. Built once, then only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cairn.api.resources import Obj
from cairn.api.sellerrds import SellerRDS
from cairn.engine.kind import Observed
from cairn.rds import databases
from cairn.rds.credentials import Login
from cairn.rds.decide import Size, Storage
from cairn.rds.resize import Resize


@dataclass(frozen=True, slots=True)
class Case:
    """pod, claim, quota: live, None where absent; rendering: revision that the server has or gets"""

    rds: SellerRDS
    observed: Observed
    size: Size
    storage: Storage
    logins: tuple[Login, ...]
    pod: Obj | None
    claim: Obj | None
    quota: Obj | None
    change: Resize
    rendering: str

    @property
    def name(self) -> str:
        return self.rds.metadata.name

    @property
    def namespace(self) -> str:
        return self.rds.metadata.namespace

    @property
    def pod_name(self) -> str:
        return f"{self.name}-0"

    @property
    def facts(self) -> Mapping[str, Any]:
        return databases.facts_of(self.observed)
