# SPDX-License-Identifier: Apache-2.0
"""What a writer remembers of the numbers it was given, over its sessions. Pure.

A database that comes back without what it had committed (a failover to a standby that was behind, an older backup)
shows it by its cursor, which stands below a number that it gave out before. Such a number is never given out again:
whoever reads by jdp_seq has been beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Given:
    """last: the highest number of jdp_seq that was committed; the next ones begin above it.

    pending: the highest of the transaction under way
    """

    last: int = 0
    pending: int = 0
    _fell_back: bool = False

    def begin(self) -> None:
        """A transaction. What the one before was given, it may not have kept."""
        self.pending = 0

    def connected(self, seq: int) -> None:
        """A session is there; its cursor stands at `seq`."""
        self._fell_back |= seq < self.last

    def committed(self) -> bool:
        """What is pending stands. Returns whether the database fell back since this was last asked."""
        self.last, self.pending = max(self.last, self.pending), 0
        fell_back, self._fell_back = self._fell_back, False
        return fell_back
