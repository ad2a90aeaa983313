# SPDX-License-Identifier: Apache-2.0
"""Real servers, and a run over them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from data.fixtures import admin, admin_conn, bus, conn, database, plane, postgresql
from data.plane import Plane
from faults.run import Run

__all__ = ["admin", "admin_conn", "bus", "conn", "database", "plane", "postgresql", "run"]


@pytest_asyncio.fixture
async def run(plane: Plane) -> AsyncIterator[Run]:
    run = Run(plane)
    try:
        yield run
    finally:
        run.close()
