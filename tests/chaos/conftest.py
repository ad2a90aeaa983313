# SPDX-License-Identifier: Apache-2.0
"""Real servers, to be killed."""

from __future__ import annotations

from data.fixtures import admin, admin_conn, bus, conn, database, plane, postgresql

__all__ = ["admin", "admin_conn", "bus", "conn", "database", "plane", "postgresql"]
