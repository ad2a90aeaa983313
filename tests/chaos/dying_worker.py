# SPDX-License-Identifier: Apache-2.0
"""A worker that is killed at a chosen moment: `python -m chaos.dying_worker MOMENT NTH --config=FILE`.

Cairn's own worker, with one of its parts replaced by a subclass that sends itself SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from cairn.bus.interface import Message
from cairn.bus.kafka import read
from cairn.bus.kafka.read import KafkaReader
from cairn.bus.pull import Puller
from cairn.cli.main import main
from cairn.sql.postgresql import Connection
from cairn.sql.push.postgresql.writer import Writer
from cairn.sql.push.rows import Poison, Row, Written
from cairn.worker import line, run

MOMENTS = ("after-fetch", "after-stage", "before-commit", "after-commit", "mid-ack")


class Death:
    """Comes the nth time that the moment is reached."""

    def __init__(self, moment: str, nth: int) -> None:
        self.moment, self.left = moment, nth

    def at(self, moment: str) -> None:
        if moment == self.moment:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


death = Death(sys.argv[1], int(sys.argv[2]))


class DyingWriter(Writer):
    async def write(self, rows: Sequence[Row], poison: Sequence[Poison]) -> Written:
        written = await super().write(rows, poison)
        death.at("after-commit")
        return written

    async def _rows(self, conn: Connection, rows: Sequence[Row]) -> Written:
        written = await super()._rows(conn, rows)
        death.at("before-commit")
        return written

    async def _copy_in(self, conn: Connection, table: str, schema: str | None, records: Iterable[Any]) -> None:
        await super()._copy_in(conn, table, schema, records)
        death.at("after-stage")


class DyingPuller(Puller):
    async def fetch(self, messages: int, room: int) -> list[Message]:
        fetched = await super().fetch(messages, room)
        death.at("after-fetch")
        return fetched

    async def acknowledge(self, messages: Iterable[Message]) -> None:
        await super().acknowledge(messages)
        await self._client.flush()
        death.at("mid-ack")


class DyingKafkaReader(KafkaReader):
    async def fetch(self, messages: int, room: int) -> list[Message]:
        fetched = await super().fetch(messages, room)
        death.at("after-fetch")
        return fetched

    async def acknowledge(self, messages: Iterable[Message]) -> None:
        await super().acknowledge(messages)
        await self._run(lambda: self._commit(wait=True))
        death.at("mid-ack")


vars(run)["sink"] = lambda config, dataset: DyingWriter(config.database.target, dataset, "dying")
vars(line)["Puller"] = DyingPuller
vars(read)["KafkaReader"] = DyingKafkaReader

if __name__ == "__main__":
    sys.exit(main(["worker", *sys.argv[3:]]))
