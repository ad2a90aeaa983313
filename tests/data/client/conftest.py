# SPDX-License-Identifier: Apache-2.0
"""A real bus, for the client's tests."""

from __future__ import annotations

from data.fixtures import bus

__all__ = ["bus"]
