# SPDX-License-Identifier: Apache-2.0
"""The platform's side: whoever has the records in their newest version and answers for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from cairn.api.proof import Head, Slice

MAX_KEYS = 500
"""Most keys of one `records`: the protocol's."""


class SourceError(Exception):
    """The platform does not answer, or not what was asked. It may go by itself."""


class NotAuthorizedError(SourceError):
    """The seller's authorisation has expired or was taken back: somebody must renew it."""


class PlatformSource(Protocol):
    """The newest version of each record, by the time it was last modified. All raise SourceError."""

    async def statistics(
        self, shop: str, dataset: str, since: datetime, until: datetime, step: timedelta
    ) -> Sequence[Slice]:
        """One slice for each span since + k·step that holds any record, in order."""

    async def keys(
        self, shop: str, dataset: str, since: datetime, until: datetime, after: int | None, limit: int
    ) -> Sequence[Head]:
        """At most so many heads with a key above `after`, by key; fewer mean that there are no more."""

    async def records(self, shop: str, dataset: str, keys: Sequence[int]) -> Sequence[bytes]:
        """Payloads of those of the keys (at most MAX_KEYS) that the platform has, as it pushes them."""

    async def history(
        self, shop: str, dataset: str, since: datetime, until: datetime, after: tuple[datetime, int] | None, limit: int
    ) -> Sequence[bytes]:
        """At most so many payloads behind `after`, by (modified, key); fewer mean that there are no more."""
