# SPDX-License-Identifier: Apache-2.0
"""Takes records of quarantine up again, or gives them up, as an Operation asks.

Each is decoded anew, as the datasets are declared now, and goes through the guard like what is pushed: one that stands
meanwhile in a newer version changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cairn.api.dataset import Dataset
from cairn.api.record import BadRecordError
from cairn.sql.push.book import Kept
from cairn.sql.push.request import Choice, Refused
from cairn.worker.again import written
from cairn.worker.decode import WHOLE, Decoder
from cairn.worker.desk import UndoableError, Work
from cairn.worker.lane import Lane

PAGE = 50
MESSAGES = ("BAD_PACK", "WRONG_SUBJECT")
"""Reasons of messages that are kept as a whole."""


class Replay:
    """args: datasets, ids, reason; each may be absent, for all."""

    def __init__(self, datasets: Iterable[Dataset], shops: Mapping[str, str], lanes: Mapping[str, Lane]) -> None:
        self._datasets = {dataset.name: dataset for dataset in datasets}
        self._shops, self._lanes = shops, lanes

    async def retry(self, work: Work) -> None:
        """Counts tried, written and refused."""
        done_with, after = work.reached or ("", 0)
        for dataset in self._chosen(work, done_with):
            decoder = Decoder(dataset, self._shops)
            after = after if dataset.name == done_with else 0
            while page := await work.desk.kept(dataset, self._choice(work), after, PAGE):
                for kept in page:
                    refused = await self._one(kept, decoder, self._lanes[dataset.name])
                    if refused is not None:
                        refused = refused._replace(nick=decoder.owner(kept.payload))
                    await work.desk.tried(kept, refused, work.by)
                    work.counts["refused"] += refused is not None
                after = page[-1].id
                await self._count(work)
                await work.note(dataset.name, after)
        await self._count(work)

    async def discard(self, work: Work) -> None:
        """Counts discarded."""
        for dataset in self._chosen(work, ""):
            await work.desk.discard(dataset, self._choice(work), work.by)
        work.counts["discarded"] = await work.desk.resolved(work.by)

    async def _count(self, work: Work) -> None:
        """What was written is told by who resolved it: a worker that was cut off has not counted it."""
        work.counts["written"] = await work.desk.resolved(work.by)
        work.counts["refused"] += 0
        work.counts["tried"] = work.counts["written"] + work.counts["refused"]

    async def _one(self, kept: Kept, decoder: Decoder, lane: Lane) -> Refused | None:
        """What it is refused by, None where it stands."""
        try:
            if kept.source[2] != WHOLE or kept.reason not in MESSAGES:
                return await written(lane, decoder.again(kept.source, kept.payload))
            done = decoder.whole(kept.source, kept.payload)
        except BadRecordError as error:
            return Refused(error.code, None, str(error)[:500])
        await lane.bring_in(done.rows, done.poison)
        return None

    def _choice(self, work: Work) -> Choice:
        return Choice(tuple(self._shops.values()), work.args.get("ids"), work.args.get("reason"))

    def _chosen(self, work: Work, begin: str) -> Iterator[Dataset]:
        for name in chosen(work, self._datasets):
            if name >= begin:
                yield self._datasets[name]


def chosen(work: Work, known: Iterable[str]) -> list[str]:
    """Names of the datasets that are meant, in order."""
    there = sorted(known)
    asked = sorted(work.args.get("datasets") or there)
    if unknown := [name for name in asked if name not in there]:
        raise UndoableError(f"spec.args.datasets: {', '.join(unknown)} is not pushed here; {', '.join(there)} is")
    return asked
