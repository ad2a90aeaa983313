# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import re
from pathlib import Path

from cairn.datasets import shipped
from cairn.gateway.openapi import ROUTE, description
from cairn.gateway.page import page

SOURCE = Path(__file__).parents[3] / "operator/cairn/gateway"


def test_every_answer_that_the_code_gives_is_described() -> None:
    given = {int(code) for code in re.findall(r"error\((\d{3}),", (SOURCE / "push.py").read_text())} | {202, 403}
    described = json.loads(description(shipped()))["paths"][ROUTE]["post"]["responses"]
    assert given == {int(code) for code in described}


def test_the_page_shows_all_of_it_and_loads_nothing() -> None:
    shown = page(description(shipped()))
    for text in (ROUTE, "Idempotency-Key", "Retry-After", "413", "members", "X-Cairn-Signature"):
        assert text in shown
    assert not re.search(r"src=|http:|https:|<script|<link", shown)
