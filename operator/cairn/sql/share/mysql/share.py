# SPDX-License-Identifier: Apache-2.0
"""`cairn.sql.share.engine.Share` for MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from cairn.sql.share.engine import Outcome, Record, Why
from cairn.sql.share.model import Design
from cairn.sql.share.mysql import audit, observe, settle
from cairn.sql.share.mysql.connection import Session
from cairn.sql.share.mysql.desired import desired
from cairn.sql.share.mysql.masks import erased_digest, text
from cairn.sql.share.mysql.names import identifier
from cairn.sql.share.state import Observation, State


class MySQLShare:
    """At one open session of an admin's. One task at a time."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def desired(self, design: Design) -> State:
        return desired(design, self.session.flavour)

    async def observe(self, design: Design, passwords: Mapping[str, str]) -> Observation:
        return await observe.observe(self.session, design, passwords)

    async def settle(self, design: Design, why: Why, passwords: Mapping[str, str]) -> Outcome:
        return await settle.settle(self.session, design, why, passwords)

    async def erase(self, design: Design, shop: str, ouid: str, why: Why) -> None:
        """By the id, and by the other names that the platform's views have for it."""
        async with audit.exclusively(self.session):
            await self._erase("ouid", "%s", shop, (ouid,))
            for master in design.masters:
                for kind, column in (("omid", master.buyer.omid), ("nick", master.buyer.nick)):
                    if master.buyer.ouid and column:
                        for name in await self._known_as(master.dataset, master.buyer.ouid, column, shop, ouid):
                            await self._erase(kind, "%s", shop, (name,))
            record = Record("erase", why.actor, f"a buyer of shop {shop}", why.reasons.get("", "asked for"))
            await audit.append(self.session, why.tenant, [record])

    async def _known_as(self, dataset: str, by: str, column: str, shop: str, ouid: str) -> list[str]:
        """What a column says of one buyer."""
        rows = await self.session.fetch(
            f"SELECT DISTINCT {text(f'm.{identifier(column)}')} FROM platform.{identifier(dataset)} m"
            f" WHERE {text('m.shop_id')} = %s AND {text(f'm.{identifier(by)}')} = %s",
            (shop, ouid),
        )
        return [str(name) for (name,) in rows if name is not None]

    async def _erase(self, kind: str, value: str, shop: str, parameters: tuple[str, ...]) -> None:
        await self.session.execute(
            f"INSERT IGNORE INTO map.erased (shop, digest) SELECT %s, d.digest FROM"
            f" (SELECT {erased_digest(kind, value)} AS digest) d WHERE d.digest IS NOT NULL",
            (shop, *parameters),
        )

    async def record(self, design: Design, tenant: str, records: Sequence[Record]) -> None:
        if records:
            async with audit.exclusively(self.session):
                await audit.append(self.session, tenant, records)

    async def audit(
        self, design: Design, since: datetime | None = None, limit: int = 1000
    ) -> list[Mapping[str, object]]:
        return await audit.read(self.session, since, limit)
