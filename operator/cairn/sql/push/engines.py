# SPDX-License-Identifier: Apache-2.0
"""The engines by name. Their drivers are loaded when they are asked for: who has no MySQL needs no driver of it."""

from __future__ import annotations

from typing import Literal

from cairn.sql.push.engine import PushEngine

EngineName = Literal["postgresql"]


def engine(name: EngineName) -> PushEngine:
    from cairn.sql.push.postgresql.engine import PostgreSQLPush

    return {"postgresql": PostgreSQLPush}[name]()
