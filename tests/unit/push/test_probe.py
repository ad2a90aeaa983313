# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from cairn.api.platform import Bus, Platform
from cairn.api.secrets import secret
from cairn.bus.connection import BusError
from cairn.bus.nkeys import KeyPair, KeyType
from cairn.push.probe import open_bus

SEED = KeyPair.generate(KeyType.ACCOUNT).seed.encode()


@pytest.mark.parametrize(
    ("data", "user", "remedy"),
    [
        pytest.param(
            {"account.seed": SEED}, "admin", "mint it from its account.seed with `cairn bus users`", id="mint"
        ),
        pytest.param({"account.seed": SEED}, "system", "put back the copy of this Secret", id="system"),
        pytest.param({}, "admin", "put back the copy of this Secret", id="no-seed"),
        pytest.param(None, "admin", "put back the copy of this Secret", id="no-secret"),
    ],
)
async def test_missing_credentials_name_the_remedy_that_keeps_the_bus(
    data: dict[str, bytes] | None, user: str, remedy: str
) -> None:
    platform = Platform(bus=Bus(url="nats://127.0.0.1:1"))
    account = None if data is None else secret("cairn-system", "cairn-bus-account", {}, data)
    with pytest.raises(BusError, match=f"has no {user}.creds: {remedy}"):
        await open_bus(account, platform, user)
