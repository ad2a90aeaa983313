# SPDX-License-Identifier: Apache-2.0
"""One server of our own in one pass: what was seen of it and what was decided. Built once, then only read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cairn.api.resize import Resize
from cairn.api.resources import Obj
from cairn.api.sellerrds import SellerRDS
from cairn.calendar.asked import Asked
from cairn.engine.kind import Observed
from cairn.rds import databases
from cairn.rds.credentials import Login
from cairn.rds.decide import Size, Storage
from cairn.rds.sizing import Force


@dataclass(frozen=True, slots=True)
class Case:
    """size: by the spec; force: what the server should have now; pod, stateful_set, claim, quota: live, None where
    absent; parameters: for the size in force; rendering: revision that the server has or gets; stopped: nothing is to
    run; stays_up: it was asked to stop, and a freeze keeps it running
    """

    rds: SellerRDS
    observed: Observed
    asked: Asked
    size: Size
    force: Force
    storage: Storage
    logins: tuple[Login, ...]
    pod: Obj | None
    stateful_set: Obj | None
    claim: Obj | None
    quota: Obj | None
    parameters: Mapping[str, str]
    change: Resize
    rendering: str
    stopped: bool = False
    stays_up: bool = False

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
