# SPDX-License-Identifier: Apache-2.0
"""The Secret `cairn-db`, mounted as files: all that an app knows of where it runs."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg


@dataclass(frozen=True)
class Binding:
    """Read it anew for every connection, and a rotation of the password fails no query."""

    directory: Path

    def read(self) -> dict[str, str]:
        """All keys, of one moment: the kubelet swaps the whole directory behind `..data`."""
        swapped = self.directory / "..data"
        for last in (False, True):
            now = swapped.resolve() if swapped.exists() else self.directory
            try:
                return {path.name: path.read_text() for path in now.iterdir() if path.is_file()}
            except FileNotFoundError:  # swapped while it was read
                if last:
                    raise
        raise AssertionError("unreachable")

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        keys = self.read()
        return await asyncpg.connect(
            host=keys["host"],
            port=int(keys["port"]),
            user=keys["username"],
            password=keys["password"],
            database=keys["database"],
            ssl=ssl.create_default_context(cadata=keys["ca.crt"]),
            timeout=10,
        )

    async def views(self, most: int = 20) -> dict[str, list[dict[str, Any]]]:
        """What the seller shares with this app: rows by view. An app learns what it may see by looking."""
        schema = self.read()["share-schema"]
        connection = await self.connect()
        try:
            found = await connection.fetch(
                "SELECT table_name AS name, format('%I.%I', table_schema, table_name) AS quoted"
                " FROM information_schema.views WHERE table_schema = $1 ORDER BY 1",
                schema,
            )
            return {
                view["name"]: [
                    dict(row) for row in await connection.fetch(f"SELECT * FROM {view['quoted']} LIMIT {most}")
                ]
                for view in found
            }
        finally:
            await connection.close()
