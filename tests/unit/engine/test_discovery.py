# SPDX-License-Identifier: Apache-2.0
"""Which optional APIs there are, while the server of one of them is down."""

from __future__ import annotations

import pytest

from cairn.api.resources import PODMETRICS, Obj
from cairn.engine.discovery import OPTIONAL, missing_apis
from cairn.engine.errors import UnavailableError


class ServerDown:
    """An API server that has every optional API, and can't reach metrics-server."""

    def __init__(self, status: int) -> None:
        self.status = status

    async def served(self, api_version: str) -> Obj:
        if api_version == PODMETRICS.api_version:
            raise UnavailableError(self.status, "service unavailable")
        return {"resources": [{"name": one.plural} for one in OPTIONAL if one.api_version == api_version]}


async def test_api_whose_own_server_is_down_holds_up_nothing_and_is_as_it_was_known() -> None:
    assert await missing_apis(ServerDown(503)) == frozenset()
    assert await missing_apis(ServerDown(503), frozenset({PODMETRICS})) == {PODMETRICS}


@pytest.mark.parametrize("status", [0, 429, 500])
async def test_api_server_that_does_not_answer_tells_nothing(status: int) -> None:
    with pytest.raises(UnavailableError):
        await missing_apis(ServerDown(status))
