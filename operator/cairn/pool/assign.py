# SPDX-License-Identifier: Apache-2.0
"""Which member owns which subscription: the highest of their common hashes that has room for it. Pure.

Everybody who knows the same members comes to the same answer. While there is room everywhere, a member that comes or
goes moves nothing but what it takes or leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cairn.api.quantity import parse

RESERVED_BYTES = 96 * 1024 * 1024
"""Of a member's memory, for the program that runs the workers."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a subscription reserves, or a member has."""

    millicores: int
    memory: int

    def fits(self, room: Claim) -> bool:
        return self.millicores <= room.millicores and self.memory <= room.memory

    def __sub__(self, other: Claim) -> Claim:
        return Claim(self.millicores - other.millicores, self.memory - other.memory)


def room(cpu: str, memory: str) -> Claim:
    """What subscriptions may reserve at a member whose container has this. ValueError for what is no quantity."""
    return Claim(int(parse(cpu) * 1000), int(parse(memory)) - RESERVED_BYTES)


def assigned(subscriptions: Mapping[str, Claim], members: Mapping[str, Claim]) -> dict[str, str]:
    """Owner by subscription; without those that nobody has room for."""
    left, found = dict(members), {}
    for one in sorted(subscriptions, key=lambda name: (_hash(name), name)):
        for member in sorted(members, key=lambda name: (_hash(f"{len(name)} {name} {one}"), name), reverse=True):
            if subscriptions[one].fits(left[member]):
                left[member] -= subscriptions[one]
                found[one] = member
                break
    return found


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
