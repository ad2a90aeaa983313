# SPDX-License-Identifier: Apache-2.0
"""`cairn cost`: what every resource costs this month, and what promotions add."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction

from cairn.api.resources import Obj
from cairn.calendar.cost import AHEAD, Bill, Priced, outlook, spent
from cairn.calendar.price import midnight, money, month_of, next_month, parse_month
from cairn.cli.estate import Estate, add_source, home, obtain, plan_name
from cairn.cli.table import table

HEAD = ("SELLER", "NAMESPACE", "KIND", "NAME", "PLAN", "MONTH", "LOAD", "PROMOTIONS", "AT MOST")
_NUMBERS = range(5, len(HEAD))


@dataclass(frozen=True)
class Line:
    """One resource and what it costs."""

    seller: str
    model: Priced
    bill: Bill


def month(text: str) -> date:
    """As an argument's type."""
    try:
        return parse_month(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument(
        "--month", type=month, metavar="YYYY-MM", help="another calendar month (UTC), with its promotions"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result")
    parser.epilog = (
        "MONTH is the whole month at the plan that is in force now, LOAD the most that clones by load may add to it,"
        " PROMOTIONS what promotions add for sure and AT MOST what they add if load raises all that they allow."
        " Exit code: 0 fine, 1 something has no known price or can't be read, 2 wrong usage or no answer."
    )


def run(args: argparse.Namespace) -> int:
    found = obtain("cost", args, live=not args.files)
    if isinstance(found, int):
        return found
    now = datetime.now(UTC)
    lines = priced(found, now, args.month)
    if args.output == "json":
        print(as_json(lines, found.currency, args.month or month_of(now), 0 if args.month else AHEAD.days))
    else:
        print(as_text(lines, found, args.month))
    return complain(found)


def complain(estate: Estate) -> int:
    for problem in estate.problems:
        print(problem, file=sys.stderr)
    return 1 if estate.problems else 0


def priced(estate: Estate, now: datetime, month: date | None = None) -> list[Line]:
    """Every resource: this month with the promotions to come, or one month with its own."""
    if month is not None:
        return within(estate, midnight(month), midnight(next_month(month)))
    bills = (outlook(model, *estate.terms(model), now) for model in estate.models)
    return list(map(Line, map(estate.seller, estate.models), estate.models, bills))


def within(estate: Estate, since: datetime, until: datetime) -> list[Line]:
    """What every resource costs in [since, until)."""
    bills = (spent(model, *estate.terms(model), since, until) for model in estate.models)
    return list(map(Line, map(estate.seller, estate.models), estate.models, bills))


def total(lines: Iterable[Line]) -> Bill:
    return sum((line.bill for line in lines), Bill())


def _by_namespace(lines: Sequence[Line]) -> dict[tuple[str, str], list[Line]]:
    found: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        found.setdefault((line.seller, home(line.model)), []).append(line)
    return found


def as_text(lines: Sequence[Line], estate: Estate, month: date | None = None) -> str:
    """A table with a total for each seller's namespace, and one of all."""
    rows: list[Sequence[str]] = [HEAD]
    groups = _by_namespace(lines)
    for (seller, namespace), own in groups.items():
        for line in own:
            name = (line.model.kind, line.model.metadata.name, plan_name(line.model) or "-")
            rows.append((seller, namespace, *name, *_figures(line.bill)))
        rows.append((seller, namespace, "total", "", "", *_figures(total(own))))
    if len(groups) != 1:
        rows.append(("total", "", "", "", "", *_figures(total(lines))))
    when = f"of {month:%Y-%m}" if month else "of this calendar month and of those to come within 90 days"
    return f"{table(rows, right=_NUMBERS)}\nAll in {estate.currency}; months are UTC. Promotions: {when}."


def _figures(found: Bill) -> tuple[str, ...]:
    load = found.month.most - found.month.floor
    return tuple(map(_figure, (found.month.floor, load, found.promotions.floor, found.promotions.most)))


def _figure(amount: Fraction) -> str:
    return money(amount) if amount else "-"


def as_json(lines: Sequence[Line], currency: str, month: date, ahead: int) -> str:
    """The same for programs: decimal numbers as strings. ahead: days after now whose promotions are counted, too."""
    resources: list[Obj] = [
        {
            "seller": line.seller,
            "namespace": home(line.model),
            "kind": line.model.kind,
            "name": line.model.metadata.name,
            "plan": plan_name(line.model) or None,
            **_amounts(line.bill),
        }
        for line in lines
    ]
    totals: list[Obj] = [
        {"seller": seller, "namespace": namespace, **_amounts(total(own))}
        for (seller, namespace), own in _by_namespace(lines).items()
    ]
    found = {
        "currency": currency,
        "month": f"{month:%Y-%m}",
        "daysAhead": ahead,
        "resources": resources,
        "namespaces": totals,
        "total": _amounts(total(lines)),
    }
    return json.dumps(found, ensure_ascii=False, indent=2)


def _amounts(found: Bill) -> dict[str, str]:
    load = found.month.most - found.month.floor
    return {
        "month": money(found.month.floor),
        "load": money(load),
        "promotions": money(found.promotions.floor),
        "promotionsAtMost": money(found.promotions.most),
    }
