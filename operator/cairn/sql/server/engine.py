# SPDX-License-Identifier: Apache-2.0
"""What every database engine does for a SellerRDS. One class per engine; nothing outside asks which one it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from cairn.sql.postgresql import Target


@dataclass(frozen=True, slots=True)
class Account:
    """The login of a database's owner, or of its reader."""

    name: str
    database: str
    password: str = field(repr=False)
    reader: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """holder: the SellerRDS, as namespace/name. parameters: names of settings to be told"""

    holder: str
    accounts: tuple[Account, ...]
    parameters: tuple[str, ...] = ()


class ServerEngine(Protocol):
    """Everything is idempotent and takes over nothing by name. SqlError says what is wrong, in its user's words."""

    async def look(self, target: Target, asked: Asked) -> dict[str, Any]:
        """Read only: the facts that `cairn.rds.databases` describes."""

    async def settle(self, target: Target, holder: str, owner: Account, reader: Account) -> None:
        """A database with its owner, who may do all in it, and its reader."""
