# SPDX-License-Identifier: Apache-2.0
"""What will be how big when, as a picture (SVG) for a report. Pure: the same figure gives the same text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from fractions import Fraction
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

from cairn.calendar.windows import Interval

WIDTH, LEFT, RIGHT = 1200, 290, 1070
"""The picture, and the part of it that is time: names stand left of it, money right of it."""
LANE, GAP, ROW = 60, 14, 18
TICKS = tuple(timedelta(hours=n) for n in (1, 3, 6, 12, 24, 48, 7 * 24, 14 * 24, 28 * 24, 91 * 24, 364 * 24))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not by the locale: the same everywhere."""
_CHAR = 6.6
"""Width of a character of 12 px, roughly: what is longer than its place is cut."""
_TICK_WIDTH = 74
_DAY, _YEARS_STEP = timedelta(days=1), timedelta(days=28)
_NO_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
_STYLE = """\
    text { font: 12px "DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", Arial, sans-serif; fill: #1f2933; }
    .title { font-size: 18px; font-weight: bold; } .name { font-weight: bold; } .quiet { fill: #52606d; }
    .end { text-anchor: end; } .mid { text-anchor: middle; }
    .window { fill: #ffe3a3; } .warm { fill: #fff4d6; } .cool { fill: #e3f1e6; } .frozen { fill: url(#frozen); }
    .floor { fill: #3878b8; } .ceiling { fill: none; stroke: #b8431f; stroke-width: 1.5; stroke-dasharray: 5 3; }
    .line { stroke: #9aa5b1; stroke-width: 1; } .grid { stroke: #e4e7eb; stroke-width: 1; }
"""


@dataclass(frozen=True, slots=True)
class Step:
    """From `start` to the next one's: what stands, and the most that load may raise it to."""

    start: datetime
    floor: Fraction
    ceiling: Fraction
    label: str


@dataclass(frozen=True, slots=True)
class Span:
    """A promotion's window."""

    interval: Interval
    freeze: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """One resource. notes: lines under its name; money: lines beside its end."""

    name: str
    notes: tuple[str, ...]
    steps: tuple[Step, ...]
    spans: tuple[Span, ...]
    money: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """Everything in a picture. heads: a line for each window, with when it is and what it is called."""

    title: str
    since: datetime
    until: datetime
    zone: tzinfo
    zone_name: str
    lanes: tuple[Lane, ...]
    heads: tuple[tuple[Interval, str], ...]
    totals: tuple[str, ...]


def picture(figure: Figure) -> str:
    """The figure as SVG."""
    top = 64 + ROW * len(figure.heads) + 30
    bottom = top + len(figure.lanes) * (LANE + GAP)
    height = bottom + 58 + ROW * len(figure.totals)
    body = [
        f'<text class="title" x="16" y="30">{_text(figure.title, WIDTH - 32, 10)}</text>',
        f'<text class="quiet" x="16" y="50">{_text(_range(figure), WIDTH - 32)}</text>',
        *_heads(figure, bottom),
        *_axis(figure, top, bottom),
    ]
    for n, lane in enumerate(figure.lanes):
        body += _lane(figure, lane, top + n * (LANE + GAP))
    body += _legend(bottom + 30)
    body += [
        f'<text class="name" x="16" y="{bottom + 58 + ROW * n}">{_text(line, WIDTH - 32)}</text>'
        for n, line in enumerate(figure.totals)
    ]
    lines = "\n".join(f"  {line}" for line in body)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">
  <title>{_clean(figure.title)}</title>
  <style>
{_STYLE}  </style>
  <defs>
    <pattern id="frozen" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <path d="M0 0V7" stroke="#7b8794" stroke-width="1.6"/>
    </pattern>
  </defs>
  <rect width="{WIDTH}" height="{height}" fill="#ffffff"/>
{lines}
</svg>
"""


def _range(figure: Figure) -> str:
    since, until = (stamp(at, figure.zone) for at in (figure.since, figure.until))
    what = "height is vCPU by each lane's own peak; × counts machines, clones included"
    return f"{since} to {until}, times of {figure.zone_name}; {what}"


def _heads(figure: Figure, bottom: int) -> Iterator[str]:
    """One line for each window, written where there is room beside it, with a mark that reaches down to it."""
    for n, (interval, text) in enumerate(figure.heads):
        y = 64 + ROW * n
        left, right = _x(figure, interval.start), _x(figure, interval.end)
        yield f'<rect class="window" x="{_n(left)}" y="{y}" width="{_n(right - left)}" height="{ROW - 4}"/>'
        if (room := WIDTH - 16 - right) > _wide(text) * _CHAR + 6:
            yield f'<text x="{_n(right + 6)}" y="{y + 12}">{_text(text, room)}</text>'
        else:
            yield f'<text class="end" x="{_n(left - 6)}" y="{y + 12}">{_text(text, left - 22)}</text>'


def _axis(figure: Figure, top: int, bottom: int) -> Iterator[str]:
    step = next((tick for tick in TICKS if _ticks_fit(figure, tick)), TICKS[-1])
    for at in ticks(figure.since, figure.until, figure.zone, step):
        x = _n(_x(figure, at))
        local = at.astimezone(figure.zone)
        yield f'<path class="grid" d="M{x} {top - 8}V{bottom}"/>'
        day = f"{local:%Y-%m-%d}" if step > _YEARS_STEP else f"{MONTHS[local.month - 1]} {local.day}"
        label = day if step >= _DAY else f"{day} {local:%H:%M}"
        yield f'<text class="mid quiet" x="{x}" y="{top - 14}">{label}</text>'


def _ticks_fit(figure: Figure, tick: timedelta) -> bool:
    return (RIGHT - LEFT) * (tick / (figure.until - figure.since)) >= _TICK_WIDTH + (14 if tick < _DAY else 0)


def ticks(since: datetime, until: datetime, zone: tzinfo, step: timedelta) -> Iterator[datetime]:
    """Round local times in [since, until): in a zone with daylight saving the hours between them differ."""
    local = since.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    last = until.astimezone(zone).replace(tzinfo=None) + _DAY
    while local < last:
        at = local.replace(tzinfo=zone).astimezone(since.tzinfo)
        if since <= at < until:
            yield at
        local += step


def _lane(figure: Figure, lane: Lane, top: int) -> Iterator[str]:
    base = top + LANE
    yield f'<text class="name" x="16" y="{top + 12}">{_text(lane.name, LEFT - 30, 7.4)}</text>'
    for n, note in enumerate(lane.notes):
        yield f'<text class="quiet" x="16" y="{top + 28 + 16 * n}">{_text(note, LEFT - 30)}</text>'
    for span in lane.spans:
        yield from _shades(figure, span, top)
    yield from _sizes(figure, lane, top)
    for span in lane.spans:
        if span.freeze:
            yield _shade(figure, "frozen", span.interval.warm_up_from, span.interval.end, top, 8)
    yield f'<path class="line" d="M{LEFT} {base}H{RIGHT}"/>'
    for n, line in enumerate(lane.money):
        look, y = "end quiet" if n else "end", top + 28 + 16 * n
        yield f'<text class="{look}" x="{WIDTH - 16}" y="{y}">{_text(line, 110)}</text>'


def _shades(figure: Figure, span: Span, top: int) -> Iterator[str]:
    one = span.interval
    yield _shade(figure, "warm", one.warm_up_from, one.start, top, LANE)
    yield _shade(figure, "window", one.start, one.end, top, LANE)
    yield _shade(figure, "cool", one.end, one.cool_down_until, top, LANE)


def _shade(figure: Figure, name: str, since: datetime, until: datetime, top: int, height: int) -> str:
    left, right = _x(figure, since), _x(figure, until)
    return f'<rect class="{name}" x="{_n(left)}" y="{top}" width="{_n(right - left)}" height="{height}"/>'


def _sizes(figure: Figure, lane: Lane, top: int) -> Iterator[str]:
    """The floor filled, the ceiling as an outline above it."""
    most = max((step.ceiling for step in lane.steps), default=Fraction())
    if not most:
        return
    base, room = top + LANE, LANE - 10
    ends = [*(step.start for step in lane.steps[1:]), figure.until]
    floor = [f"M{LEFT} {base}"]
    ceiling: list[str] = []
    for step, end in zip(lane.steps, ends, strict=True):
        left, right = _n(_x(figure, step.start)), _n(_x(figure, end))
        floor.append(f"L{left} {_n(base - room * step.floor / most)}H{right}")
        ceiling.append(f"{'L' if ceiling else 'M'}{left} {_n(base - room * step.ceiling / most)}H{right}")
    yield f'<path class="floor" d="{" ".join(floor)} V{base}Z"><title>{_clean(_spoken(figure, lane))}</title></path>'
    if any(step.ceiling > step.floor for step in lane.steps):
        yield f'<path class="ceiling" d="{" ".join(ceiling)}"/>'


def _spoken(figure: Figure, lane: Lane) -> str:
    return "; ".join(f"{stamp(step.start, figure.zone)} {step.label}" for step in lane.steps)


def _legend(y: int) -> Iterator[str]:
    x = 16
    for name, text in (
        ("floor", "stands for sure"),
        ("ceiling", "most that load may raise"),
        ("warm", "warm-up"),
        ("window", "window"),
        ("cool", "cool-down"),
        ("frozen", "frozen: no restart, nothing smaller"),
    ):
        yield f'<rect class="{name}" x="{x}" y="{y - 11}" width="22" height="12"/>'
        yield f'<text x="{x + 28}" y="{y}">{text}</text>'
        x += 28 + int(len(text) * 7.2) + 24


def stamp(at: datetime, zone: tzinfo) -> str:
    """A moment on the clocks of a zone, the same in every locale."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M}"


def _x(figure: Figure, at: datetime) -> Fraction:
    """Where a moment stands, kept within the part that is time."""
    inside, second = min(max(at, figure.since), figure.until), timedelta(seconds=1)
    return LEFT + (RIGHT - LEFT) * Fraction((inside - figure.since) // second, (figure.until - figure.since) // second)


def _n(value: Fraction) -> str:
    """A coordinate with one digit at most."""
    tenths = round(value * 10)
    return f"{tenths // 10}.{tenths % 10}" if tenths % 10 else str(tenths // 10)


def _text(text: str, room: Fraction | float, char: float = _CHAR) -> str:
    """Cut to the place it has."""
    most = max(int(room / char), 1)
    if _wide(text) <= most:
        return _clean(text)
    while text and _wide(text) >= most:
        text = text[:-1]
    return _clean(f"{text}…")


def _wide(text: str) -> int:
    """Characters of usual width: Chinese ones take two."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def _clean(text: str) -> str:
    """Without characters that no XML may hold."""
    return escape(_NO_XML.sub("�", text))
