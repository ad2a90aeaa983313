# SPDX-License-Identifier: Apache-2.0
"""A process that empties an outbox, to be killed: `python sending.py URL OUTBOX KEY`."""

from __future__ import annotations

import asyncio
import sys

from cairn.client import Outbox, Sender, signer


def main(url: str, outbox: str, key: str) -> None:
    sender = Sender(url, Outbox(outbox), signer(key.encode), batch_records=20, backoff=(0.01, 0.3))
    asyncio.run(sender.flush())


if __name__ == "__main__":
    main(*sys.argv[1:])
