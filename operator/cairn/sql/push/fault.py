# SPDX-License-Identifier: Apache-2.0
"""What kind of trouble a failed write is, whatever the engine. The kind decides what is done about it."""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """TRANSIENT: goes by itself. ROW: this record, and no other. DESTINATION: somebody must mend the database.

    Nothing is ever quarantined for TRANSIENT or DESTINATION.
    """

    TRANSIENT = "transient"
    ROW = "row"
    DESTINATION = "destination"


class WriteError(Exception):
    """A write that failed and changed nothing. The message quotes no row; code is short, for metrics and quarantine."""

    def __init__(self, kind: Fault, code: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.code = kind, code
