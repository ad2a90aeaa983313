# SPDX-License-Identifier: Apache-2.0
"""A reader that waits to be killed, as a process: `python -m data.dying_reader`, told on standard input what to do.

Fetches some messages, acknowledges the first of them, says which it had once the bus has heard that, and sits on the
rest.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from cairn.bus.interface import Message
from data.grounds import reader, settled


async def main(told: dict[str, Any]) -> None:
    async with reader(told["reader"]) as found:
        got: list[Message] = []
        while len(got) < told["fetch"]:
            got += await found.fetch(told["fetch"] - len(got), 2_000_000)
        await found.acknowledge(got[: told["acknowledge"]])
        await settled(found, told["left"])
        print(json.dumps([message.stream_seq for message in got]), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
