# SPDX-License-Identifier: Apache-2.0
"""One server per version, for the whole run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from cairn_devcluster import databases
from data.engines.seller import Seller, seller_at
from data.engines.servers import MySQL, present

SERVERS = (databases.MARIADB_BOOKWORM, databases.MARIADB_TRIXIE, databases.MYSQL)


@pytest.fixture(scope="session", params=[pytest.param(server, id=server.name) for server in SERVERS])
def mysql(request: pytest.FixtureRequest) -> Iterator[MySQL]:
    if not present(request.param):
        pytest.skip(f"no {request.param.name} here: as root, tests/devcluster/devcluster.py build --what databases")
    server = MySQL(request.param)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest_asyncio.fixture
async def seller(mysql: MySQL) -> AsyncIterator[Seller]:
    seller = await seller_at(mysql.admin)
    yield seller
    await seller.session.close()
