# SPDX-License-Identifier: Apache-2.0
"""The simulator's own records, in a SQLite file: the newest version of each, and what is still to be pushed."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cairn.api.dataset import Dataset
from cairn.api.proof import Head, Slice, token
from cairn.api.record import number, peeker, wall_clock
from cairn.bus.pack import digest

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  dataset TEXT, shop TEXT, key INTEGER, modified TEXT, hash TEXT, payload BLOB, PRIMARY KEY (dataset, shop, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_modified ON record (dataset, shop, modified, key);
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, dataset TEXT, shop TEXT, payload BLOB);
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that is to be pushed."""

    id: int
    dataset: str
    shop: str
    payload: bytes


class Book:
    """`path` may be `:memory:`. For one thread."""

    def __init__(self, path: Path | str, datasets: dict[str, Dataset]) -> None:
        self._db = sqlite3.connect(path)
        self._db.executescript(_SCHEMA)
        self._db.execute("PRAGMA journal_mode = WAL")
        self.datasets = datasets
        self._peeks = {name: peeker(one, (one.key, one.modified)) for name, one in datasets.items()}

    def close(self) -> None:
        self._db.close()

    def take(self, dataset: str, shop: str, payloads: Iterable[bytes], *, push: bool = True) -> None:
        """Records as they come about, in this order: of one time the later one counts. All of them or none."""
        with self._db:
            for payload in payloads:
                found = self._peeks[dataset](payload)
                key, modified = number("key", found[0]), wall_clock("modified", found[1])
                self._db.execute(
                    "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (dataset, shop, key) DO UPDATE SET"
                    " modified = excluded.modified, hash = excluded.hash, payload = excluded.payload"
                    " WHERE excluded.modified >= record.modified",
                    (dataset, shop, key, modified.isoformat(), digest(payload).hex(), payload),
                )
                if push:
                    self._db.execute(
                        "INSERT INTO outbox (dataset, shop, payload) VALUES (?, ?, ?)", (dataset, shop, payload)
                    )

    def waiting(self, limit: int) -> list[Waiting]:
        """What was not pushed yet, the oldest first."""
        query = "SELECT id, dataset, shop, payload FROM outbox ORDER BY id LIMIT ?"
        return [Waiting(*row) for row in self._db.execute(query, (limit,))]

    def pushed(self, ids: Iterable[int]) -> None:
        with self._db:
            self._db.executemany("DELETE FROM outbox WHERE id = ?", [(one,) for one in ids])

    def statistics(self, shop: str, dataset: str, since: datetime, until: datetime, step: timedelta) -> Sequence[Slice]:
        found: dict[datetime, Slice] = {}
        query = "SELECT modified, hash FROM record WHERE dataset = ? AND shop = ? AND modified >= ? AND modified < ?"
        for modified, hashed in self._db.execute(query, (dataset, shop, since.isoformat(), until.isoformat())):
            start = since + (datetime.fromisoformat(modified) - since) // step * step
            before = found.get(start, Slice(start, 0, 0))
            found[start] = Slice(start, before.records + 1, before.total + token(hashed))
        return [found[start] for start in sorted(found)]

    def keys(
        self, shop: str, dataset: str, since: datetime, until: datetime, after: int | None, limit: int
    ) -> Sequence[Head]:
        query = (
            "SELECT key, modified, hash FROM record WHERE dataset = ? AND shop = ? AND modified >= ? AND modified < ?"
            " AND key > ? ORDER BY key LIMIT ?"
        )
        span = (since.isoformat(), until.isoformat())
        found = self._db.execute(query, (dataset, shop, *span, -(2**63) if after is None else after, limit))
        return [Head(key, datetime.fromisoformat(modified), hashed) for key, modified, hashed in found]

    def records(self, shop: str, dataset: str, keys: Sequence[int]) -> Sequence[bytes]:
        query = "SELECT payload FROM record WHERE dataset = ? AND shop = ? AND key = ?"
        found = (self._db.execute(query, (dataset, shop, key)).fetchone() for key in keys)
        return [bytes(row[0]) for row in found if row is not None]

    def report(self, shop: str) -> dict[str, int]:
        """How many orders and items a shop has, units sold, and units sold above the stock that an item's record told
        before the order was made."""
        items = {one["num_iid"]: one for one in self._all(shop, "items")}
        sold: Counter[int] = Counter()
        orders = 0
        for trade in self._all(shop, "trades"):
            orders += 1
            for line in trade.get("orders", {}).get("order", ()):
                item = items.get(line["num_iid"])
                if not trade["status"].startswith("TRADE_CLOSED") and item and trade["created"] >= item["modified"]:
                    sold[line["num_iid"]] += line["num"]
        above = sum(max(0, units - items[item]["num"]) for item, units in sold.items())
        return {"orders": orders, "items": len(items), "sold": sold.total(), "oversold": above}

    def _all(self, shop: str, dataset: str) -> Iterator[dict[str, Any]]:
        query = "SELECT payload FROM record WHERE dataset = ? AND shop = ?"
        for (payload,) in self._db.execute(query, (dataset, shop)):
            found = json.loads(payload)
            for name in self.datasets[dataset].envelope:
                found = found[name]
            yield found

    def history(
        self, shop: str, dataset: str, since: datetime, until: datetime, after: tuple[datetime, int] | None, limit: int
    ) -> Sequence[bytes]:
        query = (
            "SELECT payload FROM record WHERE dataset = ? AND shop = ? AND modified >= ? AND modified < ?"
            " AND (modified, key) > (?, ?) ORDER BY modified, key LIMIT ?"
        )
        behind = ("", 0) if after is None else (after[0].isoformat(), after[1])
        span = (since.isoformat(), until.isoformat())
        return [bytes(row[0]) for row in self._db.execute(query, (dataset, shop, *span, *behind, limit))]
