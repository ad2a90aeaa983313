# SPDX-License-Identifier: Apache-2.0
"""The example of docs/promotions.md is right, to the last line of its table."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from cairn.api.promotion import Promotion
from cairn.api.sellervm import SellerVM
from cairn.calendar.capacity import participant, timeline
from cairn.calendar.freeze import show
from unit.calendar.world import PLANS, utc

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "promotions.md").read_text(encoding="utf-8")


def test_documented_table_is_what_the_calendar_says() -> None:
    promotion, machine = yaml.safe_load_all(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    rows = re.findall(r"^\| (\d{4}-\S+) \| (\S+) \| (\d+) \| (\d+) \| (yes|no) \| (\w*) ?\|$", PAGE, re.MULTILINE)
    who = participant(SellerVM.model_validate(machine))
    known = {"double-11": Promotion.model_validate(promotion)}
    line = timeline(who, known, PLANS, utc("2026-11-01"), utc("2026-12-01"))[1:]
    found = [
        (show(at), now.plan, str(now.floor), str(now.ceiling), "yes" if now.frozen_until else "no", now.phase)
        for at, now in line
    ]
    assert found == rows
