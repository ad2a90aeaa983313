# SPDX-License-Identifier: Apache-2.0
"""Every right that a look finds, in whatever catalog it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cairn.sql.postgresql import Connection
from cairn.sql.quoting import identifier
from cairn.sql.share.postgresql import catalog
from cairn.sql.share.postgresql.facts import PUBLIC, Right
from cairn.sql.share.state import Entry


@dataclass(slots=True)
class Names:
    """Of oids."""

    roles: dict[int, str]

    def __getitem__(self, oid: int) -> str:
        return PUBLIC if oid == 0 else self.roles.get(oid, f"#{oid}")


async def rights(
    conn: Connection, oids: tuple[list[int], list[int]], names: Names, server: Mapping[str, Any]
) -> list[Right]:
    """oids: of Cairn's roles and schemas. server: admin and version"""
    found = []
    for row in await conn.fetch(catalog.RIGHTS, *oids):
        owner, grantor = names[row["owner"]], names[row["grantor"]]
        entry = Entry(
            row["object"],
            row["col"],
            names[row["grantee"]],
            row["privilege_type"],
            row["is_grantable"],
            "" if owner == grantor else grantor,
        )
        found.append(Right(entry, "object", row["sql"], owner, grantor))
    for row in await conn.fetch(catalog.LOST, *oids):
        owner = names[row["owner"]]
        entry = Entry(row["object"], "", owner, f"no {row['privilege_type']}", grantable=False, grantor="")
        found.append(Right(entry, "lost", row["sql"], owner, owner))
    for row in await conn.fetch(catalog.DEFAULT_RIGHTS, *oids):
        owner, schema = names[row["owner"]], row["nspname"] or "*"
        entry = Entry(
            f"default {row['kind']} {owner} {schema}",
            "",
            names[row["grantee"]],
            row["privilege_type"],
            row["is_grantable"],
            "",
        )
        found.append(Right(entry, "default", schema, owner, names[row["grantor"]]))
    inherits = "m.inherit_option AND m.set_option" if server["version"] >= 16 else "true"
    for row in await conn.fetch(catalog.MEMBERS.format(inherits=inherits), oids[0]):
        role, grantor = names[row["roleid"]], names[row["grantor"]]
        entry = Entry(
            f"role {role}",
            "",
            names[row["member"]],
            "MEMBER" if row["inherits"] else "MEMBER in part",
            row["admin_option"],
            "" if row["grantor"] == 10 or grantor == server["admin"] else grantor,
        )
        found.append(Right(entry, "member", identifier(role), role, grantor))
    return found
