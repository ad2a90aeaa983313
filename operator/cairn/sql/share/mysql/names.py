# SPDX-License-Identifier: Apache-2.0
"""Names and quoting of MySQL and MariaDB, and where the two differ. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_ID = "[a-z2-7]{16}"
ACCOUNT = re.compile(f"own{_ID}|g{_ID}|u{_ID}[ab]")
"""Accounts of Cairn's. Nobody else makes names like these, and whoever does finds them taken away."""
DATABASE = re.compile(f"[psw]{_ID}")
MAP, AUDIT, PLATFORM = "map", "audit", "platform"


def identifier(name: str) -> str:
    """The name, quoted. ValueError for what could not be stored whole."""
    if not name or "\0" in name or len(name) > 64 or name.endswith(" "):
        raise ValueError(f"not a MySQL name (1 to 64 characters, no NUL, no space at its end): {name!r}")
    return "`" + name.replace("`", "``") + "`"


def qualified(database: str, name: str) -> str:
    return f"{identifier(database)}.{identifier(name)}"


def literal(text: str) -> str:
    """The text as a literal, for sessions without NO_BACKSLASH_ESCAPES (ours: see `connection.PINNED`)."""
    if "\0" in text:
        raise ValueError("no text of Cairn's holds a NUL")
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def pattern(database: str) -> str:
    """A database's name in a GRANT on all of it, where `_` and `%` stand for anything."""
    return identifier(re.sub(r"([_%\\])", r"\\\1", database))


@dataclass(frozen=True, slots=True)
class Flavour:
    """Which of the two servers it is, as far as statements differ."""

    product: Literal["mysql", "mariadb"]

    @property
    def mariadb(self) -> bool:
        return self.product == "mariadb"

    @property
    def role_host(self) -> str:
        """Roles of MySQL are accounts of any host; those of MariaDB have none."""
        return "" if self.mariadb else "%"

    def role(self, name: str) -> str:
        """A role as statements name it."""
        return literal(name) if self.mariadb else account(name)

    def default_role(self, role: str, login: str) -> str:
        return f"SET DEFAULT ROLE {self.role(role)} {'FOR' if self.mariadb else 'TO'} {account(login)}"


MYSQL = Flavour("mysql")
MARIADB = Flavour("mariadb")


def account(name: str, host: str = "%") -> str:
    """An account as statements name it."""
    return f"{literal(name)}@{literal(host)}"
