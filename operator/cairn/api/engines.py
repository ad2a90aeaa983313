# SPDX-License-Identifier: Apache-2.0
"""What is known of a database engine before a server is asked. One entry per engine; nothing outside asks which one it
is. What a server is asked and told stands in `cairn.sql.server`, `cairn.sql.push` and `cairn.sql.share`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

EngineName = Literal["postgresql", "mysql"]
"""Those that a SellerRDS may be of. `mysql` is MariaDB too: a server tells by its version which of the two it is."""


@dataclass(frozen=True, slots=True)
class Traits:
    """title: for people
    admin_database: where the operator's own session begins; empty where a session needs none
    uri: of a connection Secret, to be filled with login, where, port and database
    longest_login: in characters
    pushed_into: the database that pushed records go to, where it is the same on every server; else None, and a
    PushSubscription names one
    shared: an IntegrationTenant can share what stands there
    hand_over: how somebody lets Cairn have a database that exists, to be filled with database and owner
    """

    title: str
    port: int
    admin_database: str
    uri: str
    longest_login: int
    pushed_into: str | None
    shared: bool
    hand_over: str


ENGINES: Mapping[EngineName, Traits] = {
    "postgresql": Traits(
        title="PostgreSQL",
        port=5432,
        admin_database="postgres",
        uri="postgresql://{login}@{where}:{port}/{database}?sslmode=require",
        longest_login=63,
        pushed_into=None,
        shared=True,
        hand_over="name another, or hand it over with ALTER DATABASE {database} OWNER TO {owner}",
    ),
    "mysql": Traits(
        title="MySQL or MariaDB",
        port=3306,
        admin_database="",
        uri="mysql://{login}@{where}:{port}/{database}?ssl-mode=REQUIRED",
        longest_login=32,
        pushed_into="sys_info",
        shared=False,
        hand_over="name another, since Cairn takes over none that it did not make",
    ),
}
