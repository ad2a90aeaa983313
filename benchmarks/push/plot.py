# SPDX-License-Identifier: Apache-2.0
"""build/bench/push.json as a picture: bars of the ratios, with the target of each as a line."""

from __future__ import annotations

from typing import Any

WIDTH, BAR, GAP, LEFT = 640, 26, 14, 220
FULL = 1.2
TARGETS = {"writers_1": 0.95, "best_ratio": 0.85, "updates": 0.90}


def svg(found: dict[str, Any]) -> str:
    new = found["postgresql"]["new"]
    bars = [(name, f"new rows, {name}", part["ratio"]) for name, part in new.items() if isinstance(part, dict)]
    bars.append(("best_ratio", "new rows, best", new["best_ratio"]))
    bars.append(("updates", "updates", found["postgresql"]["updates"]["ratio_to_unguarded"]))
    height = len(bars) * (BAR + GAP) + 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        '<text x="12" y="24">Guarded write against plain COPY or UPDATE of the same rows; a line is a target</text>',
    ]
    for number, (key, label, ratio) in enumerate(bars):
        top = 44 + number * (BAR + GAP)
        lines.append(f'<text x="12" y="{top + 18}">{label}</text>')
        lines.append(f'<rect x="{LEFT}" y="{top}" width="{_x(ratio):.0f}" height="{BAR}" fill="#4a7a8c"/>')
        lines.append(f'<text x="{LEFT + 8}" y="{top + 18}" fill="#fff">{ratio:.2f}</text>')
        if key in TARGETS:
            at = LEFT + _x(TARGETS[key])
            lines.append(f'<path d="M{at:.0f} {top - 4}v{BAR + 8}" stroke="#b3402e" stroke-width="2"/>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _x(ratio: float) -> float:
    return min(ratio, FULL) / FULL * (WIDTH - LEFT - 20)
