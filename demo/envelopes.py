# SPDX-License-Identifier: Apache-2.0
"""Orders and refunds as the platform hands them out: whole API envelopes, one per version of an order.

Every version of an order has a `modified` of its own, so that which one is the newest is a property of the data
and not of the way it took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from demo.retail import Line

TRADE_STEPS = (
    ("WAIT_BUYER_PAY", timedelta(0)),
    ("WAIT_SELLER_SEND_GOODS", timedelta(minutes=7)),
    ("WAIT_BUYER_CONFIRM_GOODS", timedelta(hours=20)),
    ("TRADE_FINISHED", timedelta(days=9)),
)
REFUND_STEPS = (
    ("WAIT_SELLER_AGREE", timedelta(0)),
    ("WAIT_BUYER_RETURN_GOODS", timedelta(hours=3)),
    ("WAIT_SELLER_CONFIRM_GOODS", timedelta(days=2)),
    ("SUCCESS", timedelta(days=3)),
)


@dataclass(frozen=True, slots=True)
class Order:
    """What the envelope of an order is made of. `tid` fits a bigint; oids are tid·1000 + the line's number."""

    tid: int
    seller: str
    buyer: str
    country: str
    created: datetime
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Refund:
    """One article sent back. `tid` and `oid` name the order and the article in it, `line` says what and how many."""

    refund_id: int
    tid: int
    oid: int
    seller: str
    buyer: str
    created: datetime
    line: Line


def modified(created: datetime, steps: Sequence[tuple[str, timedelta]], version: int) -> str:
    """When the version came to be, as the platform writes it: wall clock, to the second."""
    return str(created + steps[version][1])


def trade(order: Order, version: int) -> dict[str, Any]:
    """The envelope of trade.fullinfo.get for the order as of step `version` (0 to 3)."""
    status = TRADE_STEPS[version][0]
    total = sum((line.total for line in order.lines), Decimal(0))
    times = ("created", "pay_time", "consign_time", "end_time")[: version + 1]
    body = {
        "tid": order.tid,
        "tid_str": str(order.tid),
        "status": status,
        "type": "fixed",
        "seller_nick": order.seller,
        "buyer_nick": order.buyer,
        **{name: modified(order.created, TRADE_STEPS, step) for step, name in enumerate(times)},
        "modified": modified(order.created, TRADE_STEPS, version),
        "payment": money(total),
        "total_fee": money(total),
        "post_fee": "0.00",
        "discount_fee": "0.00",
        "num": sum(line.quantity for line in order.lines),
        "receiver_country": order.country,
        "orders": {"order": [_item(order.tid, number, line, status) for number, line in enumerate(order.lines)]},
    }
    return {"trade_fullinfo_get_response": {"trade": body}}


def _item(tid: int, number: int, line: Line, status: str) -> dict[str, Any]:
    return {
        "oid": tid * 1000 + number,
        "outer_iid": line.code,
        "title": line.title,
        "price": money(line.price),
        "num": line.quantity,
        "total_fee": money(line.total),
        "payment": money(line.total),
        "status": status,
        "refund_status": "NO_REFUND",
    }


def refund(one: Refund, version: int) -> dict[str, Any]:
    """The envelope of refund.get for the refund as of step `version` (0 to 3)."""
    body = {
        "refund_id": str(one.refund_id),
        "tid": one.tid,
        "oid": one.oid,
        "status": REFUND_STEPS[version][0],
        "seller_nick": one.seller,
        "buyer_nick": one.buyer,
        "created": str(one.created),
        "modified": modified(one.created, REFUND_STEPS, version),
        "title": one.line.title,
        "num": one.line.quantity,
        "price": money(one.line.price),
        "total_fee": money(one.line.total),
        "payment": "0.00",
        "refund_fee": money(one.line.total),
        "has_good_return": version > 0,
        "good_status": "BUYER_RETURNED_GOODS" if version > 1 else "BUYER_RECEIVED",
        "reason": "cancelled",
    }
    return {"refund_get_response": {"refund": body}}


def money(amount: Decimal) -> str:
    """A decimal string with two places, as the platform writes amounts."""
    return f"{amount:.2f}"


def line_of(envelope: dict[str, Any]) -> bytes:
    """The envelope as one line of NDJSON, without its line feed."""
    return msgspec.json.encode(envelope)
