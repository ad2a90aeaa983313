# SPDX-License-Identifier: Apache-2.0
"""What an Operation asks the worker for, and what the worker answers: rows of sys_info.jdp_request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Request:
    """id: the Operation's uid. counts: what came of it so far. reached: from where to go on, empty at first."""

    id: str
    action: str
    args: Mapping[str, Any]
    counts: Mapping[str, int] = field(default_factory=dict)
    reached: Sequence[Any] = ()

    @classmethod
    def of(cls, row: Sequence[Any]) -> Request:
        """Of id, action, args, counts and reached as they stand in the table."""
        return cls(row[0], row[1], *(json.loads(text) for text in row[2:5]))


@dataclass(frozen=True, slots=True)
class Answer:
    """state: open, done, failed or withdrawn. message: why it failed, or what holds it up."""

    state: str
    counts: Mapping[str, int]
    message: str

    @classmethod
    def of(cls, row: Sequence[Any]) -> Answer:
        """Of state, counts and message as they stand in the table."""
        return cls(row[0], json.loads(row[1]), row[2] or "")


class Choice(NamedTuple):
    """Which open records of quarantine are meant; None: of all. nicks: of whose shops."""

    nicks: Sequence[str]
    ids: Sequence[int] | None = None
    reason: str | None = None


class Refused(NamedTuple):
    """Why a record stays in quarantine. nick: whose it is, where that is known by now."""

    reason: str
    code: str | None
    text: str
    nick: str | None = None
