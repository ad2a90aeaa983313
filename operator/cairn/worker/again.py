# SPDX-License-Identifier: Apache-2.0
"""Tries again what the database refused, and takes it out of quarantine: when the worker starts, and when a lane runs
again that the safety valve held. What stands and was not yet marked is not newer at the next try, and then marked.
"""

from __future__ import annotations

import asyncio
import logging

from cairn.api.dataset import Dataset
from cairn.api.record import BadRecordError
from cairn.sql.push.book import Kept
from cairn.sql.push.engine import PushLedger
from cairn.sql.push.fault import Fault
from cairn.sql.push.request import Refused
from cairn.sql.push.rows import Row
from cairn.worker.apply import REFUSED
from cairn.worker.decode import Decoder
from cairn.worker.faults import code, fault, text
from cairn.worker.lane import Lane

log = logging.getLogger(__name__)

PAGE = 50
RETRY_SECONDS = 30.0


class Again:
    """One lane's."""

    def __init__(self, dataset: Dataset, decoder: Decoder, lane: Lane, ledger: PushLedger) -> None:
        self._dataset, self._decoder, self._lane, self._ledger = dataset, decoder, lane, ledger

    async def run(self) -> None:
        """Until cancelled. Nothing that goes wrong here stops what is pushed."""
        mended = self._lane.applier.mended
        while True:
            await mended.wait()
            mended.clear()
            try:
                await self._all()
            except Exception as error:
                log.warning("%s: quarantine: %s: %s", self._dataset.name, type(error).__name__, text(error))
                mended.set()
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                await self._ledger.close()

    async def _all(self) -> None:
        after, stand, stay = 0, 0, 0
        while page := await self._ledger.refused(self._dataset, after, PAGE):
            for kept in page:
                if await self._one(kept):
                    stand += 1
                else:
                    stay += 1
                after = kept.id
        if stand or stay:
            log.info("%s: of what was refused %d records stand now, %d stay", self._dataset.name, stand, stay)

    async def _one(self, kept: Kept) -> bool:
        """Whether it stands now."""
        try:
            row = self._decoder.again(kept.source, kept.payload)
        except BadRecordError:
            return False
        refused = await written(self._lane, row)
        await self._ledger.tried(kept, refused)
        return refused is None


async def written(lane: Lane, row: Row) -> Refused | None:
    """Try a record of quarantine once more. What it is refused by, None where it stands. Raises what is no refusal."""
    try:
        await lane.again(row)
    except Exception as error:
        if fault(error) is not Fault.ROW:
            raise
        return Refused(REFUSED, code(error), text(error))
    return None
