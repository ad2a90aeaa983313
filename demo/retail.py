# SPDX-License-Identifier: Apache-2.0
"""Reads the real orders of examples/data. Knows the file, and nothing of the platform's envelopes."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "examples" / "data" / "online-retail-sample.csv"


@dataclass(frozen=True, slots=True)
class Line:
    """One article of an invoice; the price is per piece, in pounds."""

    code: str
    title: str
    quantity: int
    price: Decimal

    @property
    def total(self) -> Decimal:
        return self.price * self.quantity


@dataclass(frozen=True, slots=True)
class Invoice:
    """One order, or one cancellation. `of` says for each line of a cancellation what it cancels: (invoice, line)."""

    number: int
    cancelled: bool
    at: datetime
    customer: str
    country: str
    lines: tuple[Line, ...]
    of: tuple[tuple[int, int], ...] = ()


def invoices(path: Path = SAMPLE) -> list[Invoice]:
    """Orders and cancellations of the file, in its order. Stock corrections (nothing was paid for) are left out."""
    found: list[Invoice] = []
    bought: dict[tuple[str, str], tuple[int, int]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, rows in groupby(csv.DictReader(file), key=lambda row: row["InvoiceNo"]):
            invoice = _invoice(number, list(rows))
            if not sum(line.total for line in invoice.lines):
                continue
            if invoice.cancelled:
                invoice = _matched(invoice, bought)
            else:
                for position, line in enumerate(invoice.lines):
                    bought[invoice.customer, line.code] = (invoice.number, position)
            found.append(invoice)
    return found


def _invoice(number: str, rows: list[dict[str, str]]) -> Invoice:
    digits = int(number.lstrip("C"))
    # The file has dates only: the numbers rise through the day, so they give each order a time of its own.
    at = datetime.strptime(rows[0]["InvoiceDate"], "%d/%m/%Y") + timedelta(hours=9, seconds=digits * 37 % 28_800)  # noqa: DTZ007  the shop's wall clock
    return Invoice(
        number=digits,
        cancelled=number.startswith("C"),
        at=at,
        customer=rows[0]["CustomerID"] or f"guest{digits}",
        country=rows[0]["Country"],
        lines=tuple(
            Line(row["StockCode"], row["Description"].strip(), abs(int(row["Quantity"])), Decimal(row["UnitPrice"]))
            for row in rows
        ),
    )


def _matched(invoice: Invoice, bought: dict[tuple[str, str], tuple[int, int]]) -> Invoice:
    """The file doesn't say which order is cancelled: the customer's last one with the article is the best guess.

    Where the file has none (the order is older than the file) the cancellation stands for an order of its own number.
    """
    of = (bought.get((invoice.customer, line.code), (invoice.number, n)) for n, line in enumerate(invoice.lines))
    return replace(invoice, of=tuple(of))
