# SPDX-License-Identifier: Apache-2.0
"""Names in a shared database: lower case letters and digits, at most 32, opaque, since every role can read them."""

from __future__ import annotations

import re

OWNED = re.compile(r"[psw][a-z2-7]{16}")
"""Schemas of parties."""
APPS = re.compile(r"g[a-z2-7]{16}|u[a-z2-7]{16}[ab]")
"""Roles of parties."""


def own_role(design: str) -> str:
    """Owns Cairn's schemas in one database; nobody logs in as it."""
    return f"own{design}"


def group(party: str) -> str:
    """Holds what a party may."""
    return f"g{party}"


def logins(party: str) -> tuple[str, str]:
    return f"u{party}a", f"u{party}b"


def published(party: str) -> str:
    """The schema of the tables that it publishes."""
    return f"p{party}"


def shares(party: str) -> str:
    """The schema of the views that it reads."""
    return f"s{party}"


def work(party: str) -> str:
    """The schema that it may do in as it likes."""
    return f"w{party}"
