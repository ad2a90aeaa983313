# SPDX-License-Identifier: Apache-2.0
"""Real servers for the tests of the data plane."""

from __future__ import annotations

from data.fixtures import admin, admin_conn, bus, conn, database, plane, postgresql

__all__ = ["admin", "admin_conn", "bus", "conn", "database", "plane", "postgresql"]
