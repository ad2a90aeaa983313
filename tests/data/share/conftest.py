# SPDX-License-Identifier: Apache-2.0
"""A seller's database."""

from __future__ import annotations

import pytest_asyncio

from cairn.sql.postgresql import Connection, Target
from data.share.seller import Seller, seller_at


@pytest_asyncio.fixture
async def seller(database: Target, conn: Connection) -> Seller:
    return await seller_at(database, conn)
