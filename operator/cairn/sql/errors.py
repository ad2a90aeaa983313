# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a database, in words its owner understands."""

from __future__ import annotations

from cairn.api.conditions import Reason


class SqlError(Exception):
    """A database that can't be reached, or does not let us do what is asked. The message names what to change."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
