# SPDX-License-Identifier: Apache-2.0
"""The platform's side of the gateway: an outbox on disk, and what sends it until the gateway has said 202.

Needs aiohttp and nothing else of Cairn's dependencies. `outbox` is where records are put, `send` empties it.
"""

from cairn.client.outbox import Lane, Outbox, Parked
from cairn.client.send import Sender, Signer, signer

__all__ = ["Lane", "Outbox", "Parked", "Sender", "Signer", "signer"]
