# SPDX-License-Identifier: Apache-2.0
"""What `cairn replay|discard|audit|backfill` take beside the PushSubscription."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from cairn.api.schedule import duration

ACTIONS = ("audit", "backfill", "discard", "replay")


def add(parser: argparse.ArgumentParser, action: str) -> None:
    parser.add_argument(
        "--datasets", type=_names, metavar="trades,refunds", help="by default all that the subscription has"
    )
    if action in ("discard", "replay"):
        text = "records by their id in sys_info.jdp_quarantine"
        parser.add_argument("--ids", type=_numbers, metavar="17,18", help=text)
        parser.add_argument("--reason", metavar="BAD_JSON", help="records that are in quarantine for it")
    if action == "discard":
        parser.add_argument("--because", required=True, metavar="TEXT", help="why the records are given up")
        parser.add_argument("--confirm", metavar="NAME", help="the subscription's name once more: they are given up")
    if action in ("audit", "backfill"):
        text = "from when on: RFC 3339 with an offset, or so long ago, such as 3d"
        needed = action == "backfill"
        parser.add_argument("--since", type=_moment, required=needed, metavar="2026-11-11T00:00:00+08:00", help=text)
        parser.add_argument(
            "--until", type=_moment, metavar="2026-11-12T00:00:00+08:00", help="as --since; default now"
        )
    if action == "audit":
        parser.add_argument(
            "--depth", choices=("deep", "light"), help="light goes by the hashes that stand; default deep"
        )
        mend = argparse.BooleanOptionalAction
        parser.add_argument("--repair", action=mend, help="mend what differs; default as the subscription's spec.audit")


def said(args: argparse.Namespace) -> Mapping[str, Any]:
    """The args of the Operation."""
    names = ("datasets", "ids", "reason", "because", "since", "until", "depth", "repair")
    return {name: value for name in names if (value := getattr(args, name, None)) is not None}


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _numbers(text: str) -> list[int]:
    return [int(number) for number in _names(text)]


def _moment(text: str) -> str:
    with suppress(ValueError):
        return (datetime.now(UTC).replace(microsecond=0) - duration(text)).isoformat()
    with suppress(ValueError):
        if (found := datetime.fromisoformat(text)).tzinfo is not None:
            return found.isoformat()
    message = f"{text!r} is no moment: write 2026-11-11T00:00:00+08:00, or how long ago, such as 3d"
    raise argparse.ArgumentTypeError(message)
