# SPDX-License-Identifier: Apache-2.0
"""A platform beside the data plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from data.fixtures import admin, admin_conn, bus, conn, database, plane, postgresql
from data.plane import Plane
from data.proof.platform import Platform

__all__ = ["admin", "admin_conn", "bus", "conn", "database", "plane", "platform", "postgresql"]


@pytest_asyncio.fixture
async def platform(plane: Plane) -> AsyncIterator[Platform]:
    made = Platform(plane)
    made.start()
    yield made
