# SPDX-License-Identifier: Apache-2.0
"""What the operator asks of PostgreSQL for a subscription: settle, look, and drop the login."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cairn.api.conditions import Reason
from cairn.datasets import shipped
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Connection, Target
from cairn.sql.push.engine import Asked, LoginFact
from cairn.sql.push.engines import engine
from cairn.sql.roles import ensure_role


def asked(database: Target) -> Asked:
    name = database.database
    datasets = tuple(shipped().values())
    return Asked(name, datasets, {"1": "taobao001"}, f"{name}_push", "push-password", (f"{name}_reader",))


async def test_look_sees_what_settle_made_and_what_was_taken_away(database: Target, conn: Connection) -> None:
    push, want = engine("postgresql"), asked(database)
    found = await push.look(database, want)
    assert found.missing
    assert (found.login, found.granted, found.tables) == (None, False, ())
    await ensure_role(conn, want.readers[0], password="reader")
    await push.settle(database, want)
    found = await push.look(database, want)
    assert (found.missing, found.drift, found.quarantined, found.granted) == ((), (), 0, True)
    assert found.login == LoginFact(ours=True, opens=True)
    assert {"sys_info.jdp_tb_trade", "platform.trades"} <= set(found.tables)
    assert (await push.look(database, replace(want, password="other"))).login == LoginFact(ours=True, opens=False)
    await conn.execute(f"REVOKE SELECT ON sys_info.jdp_tb_trade FROM {want.readers[0]}")
    assert not (await push.look(database, want)).granted
    await push.drop_login(database, want.login)
    assert (await push.look(database, want)).login is None


async def test_database_that_is_not_there_is_said_in_words(database: Target) -> None:
    with pytest.raises(SqlError) as said:
        await engine("postgresql").look(replace(database, database="nobody"), asked(database))
    assert said.value.reason is Reason.DATABASE_NOT_FOUND
