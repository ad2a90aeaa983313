# SPDX-License-Identifier: Apache-2.0
"""Servers that answer before they sync are found out by the operator, not only by a test."""

from __future__ import annotations

from collections.abc import Mapping

from cairn.api.platform import Platform
from cairn.api.resources import Obj
from cairn.api.secrets import secret
from cairn.push import servers
from cairn.push.servers import BusServers
from data.bus import Bus

LAZY = "server test: set jetstream.sync_interval to always"


def account(creds: Mapping[str, str]) -> Obj:
    return secret("cairn", "cairn-bus-account", {}, {name: text.encode() for name, text in creds.items()})


def platform(bus: Bus) -> Platform:
    return Platform.model_validate({"bus": {"url": bus.url}})


async def test_servers_that_sync_lazily_are_told_of(bus: Bus) -> None:
    held = account({"system.creds": bus.made.system})
    assert LAZY not in await BusServers().problems(held, platform(bus))
    bus.server.kill()
    bus.server.config.write_text(bus.server.config.read_text().replace("sync_interval: always", "sync_interval: 2m"))
    bus.server.start()
    asked = BusServers()
    assert LAZY in await asked.problems(held, platform(bus))
    bus.server.kill()
    assert LAZY in await asked.problems(held, platform(bus)), f"asked once in {servers.VALID_SECONDS:g} s"


async def test_servers_that_nobody_may_ask_are_not_taken_for_safe(bus: Bus) -> None:
    (said,) = await BusServers().problems(account({"admin.creds": bus.made.admin}), platform(bus))
    assert said.endswith("cairn-bus-account has no system.creds")
