# SPDX-License-Identifier: Apache-2.0
"""`cairn calendar`: what will be how big when, and what that costs, as a table and as a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from fractions import Fraction
from pathlib import Path

from cairn.api.quantity import parse
from cairn.api.schedule import Participation
from cairn.api.seller import Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.capacity import Capacity
from cairn.calendar.cost import AHEAD, Bill, Priced, course
from cairn.calendar.picture import Figure, Lane, Span, Step, picture, stamp
from cairn.calendar.price import money
from cairn.calendar.usage import Sum
from cairn.calendar.windows import Interval, intervals
from cairn.calendar.zones import zone
from cairn.cli.cost import Line, complain, total, within
from cairn.cli.estate import Estate, add_source, label, obtain
from cairn.cli.manifests import moment
from cairn.cli.table import table

DEFAULT_WORKER = Fraction(1)
"""Cores that a subscription's worker may use without a plan."""
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Size:
    """From when on a resource is how big, and why."""

    at: datetime
    model: Priced
    capacity: Capacity


def add(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("--live", action="store_true", help="read the cluster; files, where named, count over it")
    parser.add_argument("--from", dest="since", type=moment, metavar="TIME", help="RFC 3339 or a day; now")
    parser.add_argument("--to", dest="until", type=moment, metavar="TIME", help="RFC 3339 or a day; 90 days later")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a picture there, too")
    parser.epilog = (
        "Times are those of the promotions' zone, UTC where they differ. Exit code: 0 fine, 1 something has no known"
        " price or can't be read, 2 wrong usage or no answer."
    )


def run(args: argparse.Namespace) -> int:
    since: datetime = (args.since or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    until: datetime = args.until.astimezone(UTC) if args.until else since + AHEAD
    if wrong := _usage(args, since, until):
        print(f"cairn calendar: {wrong}", file=sys.stderr)
        return 2
    estate = obtain("calendar", args, live=args.live)
    if isinstance(estate, int):
        return estate
    lines = within(estate, since, until)
    print(as_text(estate, lines, since, until))
    for name in _elsewhere(estate, since, until):
        print(f"cairn calendar: Promotion {name} has no window in this time: see --from and --to", file=sys.stderr)
    if args.svg:
        first, last = (since, until) if args.since or args.until else around(estate, since, until)
        try:
            args.svg.write_text(as_svg(estate, first, last), encoding="utf-8")
        except OSError as error:
            print(f"cairn calendar: --svg: {error}", file=sys.stderr)
            return 2
    return complain(estate)


def _usage(args: argparse.Namespace, since: datetime, until: datetime) -> str:
    if not args.files and not args.live:
        return "name FILES, or write --live for the cluster"
    if until - since < _SECOND:
        return f"--from {since:%Y-%m-%dT%H:%M:%SZ} is not before --to {until:%Y-%m-%dT%H:%M:%SZ}: exchange them"
    if until - since > timedelta(days=3660):
        return "--from and --to are more than ten years apart: choose a shorter time"
    return ""


def common_zone(estate: Estate) -> tuple[tzinfo, str]:
    """The zone of all promotions that somebody takes part in, or UTC."""
    names = {estate.promotions[name].spec.time_zone for name in _named(estate)}
    found = zone(names.pop()) if len(names) == 1 else None
    return (found, str(found)) if found else (UTC, "UTC")


def sizes(estate: Estate, model: Priced, since: datetime, until: datetime) -> list[Size]:
    """What it is at first, and every change."""
    found: list[Size] = []
    for at, capacity in course(model, estate.promotions, estate.plans, since, until):
        size = Size(at, model, capacity)
        if not found or _look(found[-1]) != _look(size):
            found.append(size)
    return found


def _look(size: Size) -> tuple[object, ...]:
    return size.capacity.plan, size.capacity.floor, size.capacity.ceiling, why(size.capacity)


def why(capacity: Capacity) -> str:
    """Why it is as big as it is."""
    phases = {"WarmingUp": "warming up", "CoolingDown": "cooling down"}
    phase = phases.get(capacity.phase, "")
    frozen = "frozen" if capacity.frozen_until else ""
    more = ", ".join(filter(None, (phase, frozen)))
    return f"{capacity.reason} ({more})" if capacity.reason and more else capacity.reason or frozen


def participants(estate: Estate) -> list[Priced]:
    """What has a size that Cairn gives it."""
    return [model for model in estate.models if _sized(model)]


def _sized(model: Priced) -> bool:
    return not isinstance(model, Seller) and not (isinstance(model, SellerRDS) and model.spec.external)


def as_text(estate: Estate, lines: Sequence[Line], since: datetime, until: datetime) -> str:
    """All changes in their order, then what they cost."""
    where, name = common_zone(estate)
    rows = [("WHEN", "KIND", "NAME", "PLAN", "CLONES", "WHY")]
    found = [size for model in participants(estate) for size in sizes(estate, model, since, until)]
    for size in sorted(found, key=lambda one: one.at):
        model, capacity = size.model, size.capacity
        number = _range(str(capacity.floor), str(capacity.ceiling)) if isinstance(model, SellerVM) else "-"
        plan = capacity.plan or "-"
        rows.append((stamp(size.at, where), model.kind, label(model), plan, number, why(capacity) or "base"))
    costs = [("KIND", "NAME", "PLANS", "LOAD", "PROMOTIONS", "AT MOST")]
    costs += [(line.model.kind, label(line.model), *_figures(line.bill)) for line in lines]
    costs.append(("total", "", *_figures(total(lines))))
    span = f"{stamp(since, where)} to {stamp(until, where)} ({name})"
    return f"{span}\n\n{table(rows)}\n{table(costs, right=range(2, 6))}\nAll in {estate.currency}, for this time."


def _figures(bill: Bill) -> tuple[str, str, str, str]:
    plans, load = bill.month.floor, bill.month.most - bill.month.floor
    return money(plans), money(load), money(bill.promotions.floor), money(bill.promotions.most)


def windows(estate: Estate, since: datetime, until: datetime) -> list[tuple[Interval, str]]:
    """Windows that somebody takes part in, with their titles."""
    found = []
    for name in _named(estate):
        promotion = estate.promotions[name]
        if promotion.spec.suspend:
            continue
        where = zone(promotion.spec.time_zone) or UTC
        for one in intervals(promotion, since, until):
            when = f"{stamp(one.start, where)} to {stamp(one.end, where)}, {promotion.spec.time_zone}"
            found.append((one, f"{promotion.spec.title or name}: {when}"))
    return sorted(found, key=lambda entry: (entry[0].start, entry[1]))


def _named(estate: Estate) -> list[str]:
    named = {entry.name for model in participants(estate) for entry in _entries(model)}
    return sorted(named & estate.promotions.keys())


def _elsewhere(estate: Estate, since: datetime, until: datetime) -> list[str]:
    """Promotions that somebody takes part in, and that do nothing meanwhile."""
    return [name for name in _named(estate) if not intervals(estate.promotions[name], since, until)]


def _entries(model: Priced) -> Iterable[Participation]:
    return () if isinstance(model, Seller) else model.spec.promotions


def around(estate: Estate, since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The part of the time in which windows are, with a margin."""
    spans = [one for one, _ in windows(estate, since, until)]
    if not spans:
        return since, until
    first = max(min(one.warm_up_from for one in spans), since)
    last = min(max(one.cool_down_until for one in spans), until)
    margin = max((last - first) / 8, timedelta(hours=1))
    return max(first - margin, since).replace(microsecond=0), min(last + margin, until).replace(microsecond=0)


def as_svg(estate: Estate, since: datetime, until: datetime) -> str:
    """The picture of what changes and what stands."""
    where, name = common_zone(estate)
    lines = within(estate, since, until)
    lanes = [_lane(estate, line, since, until) for line in lines if _sized(line.model)]
    bill, currency = total(lines), estate.currency
    figure = Figure(
        title="Calendar of " + (", ".join(sorted({line.seller for line in lines if line.seller != "-"})) or "capacity"),
        since=since,
        until=until,
        zone=where,
        zone_name=name,
        lanes=tuple(lanes),
        heads=tuple(windows(estate, since, until)),
        totals=(
            f"Plans in this time: {_between(bill.month, currency)}",
            f"Promotions on top: {_between(bill.promotions, currency)}",
        ),
    )
    return picture(figure)


def _between(amount: Sum, currency: str) -> str:
    most = f", {money(amount.most)} {currency} if load raises all that it may" if amount.most > amount.floor else ""
    return f"{money(amount.floor)} {currency}{most}"


def _lane(estate: Estate, line: Line, since: datetime, until: datetime) -> Lane:
    model, steps = line.model, sizes(estate, line.model, since, until)
    peak = max(steps, key=lambda size: (_cores(estate, size, size.capacity.ceiling), size.capacity.floor))
    spans = [
        Span(one, promotion.spec.freeze)
        for entry in _entries(model)
        if (promotion := estate.promotions.get(entry.name)) and not promotion.spec.suspend
        for one in intervals(promotion, since, until)
    ]
    notes = [f"{model.kind} in {model.metadata.namespace}", _worded(estate, steps[0])]
    if _look(peak)[:3] != _look(steps[0])[:3]:
        notes.append(f"peak: {_worded(estate, peak)}")
    cost = line.bill.promotions
    return Lane(
        name=model.metadata.name,
        notes=tuple(notes),
        steps=tuple(_step(estate, size) for size in steps),
        spans=tuple(spans),
        money=(f"+{money(cost.floor)}", f"at most {money(cost.most)}") if cost.most else (),
    )


def _step(estate: Estate, size: Size) -> Step:
    floor, ceiling = (_cores(estate, size, n) for n in (size.capacity.floor, size.capacity.ceiling))
    return Step(size.at, floor, max(floor, ceiling), _worded(estate, size))


def _worded(estate: Estate, size: Size) -> str:
    """How big: plan, machines, cores."""
    capacity = size.capacity
    machines = _range(str(capacity.floor + 1), str(capacity.ceiling + 1))
    least, most = (_short(_cores(estate, size, number)) for number in (capacity.floor, capacity.ceiling))
    number = f" ×{machines}" if capacity.ceiling else ""
    return f"{capacity.plan or 'own size'}{number}, {_range(least, most)} vCPU"


def _range(least: str, most: str) -> str:
    return least if least == most else f"{least}..{most}"


def _short(cores: Fraction) -> str:
    return f"{float(cores):.3f}".rstrip("0").rstrip(".")


def _cores(estate: Estate, size: Size, number: int) -> Fraction:
    """Cores of it and so many clones."""
    plan: ServicePlan | None = estate.plans.get(size.capacity.plan or "")
    own = getattr(size.model.spec, "resources", None)
    cpu = plan.spec.size.cpu if plan else own.cpu if own else None
    return (Fraction(parse(cpu)) if cpu else DEFAULT_WORKER) * (1 + number)
