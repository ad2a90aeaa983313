# SPDX-License-Identifier: Apache-2.0
"""The autoscaler may only raise, and never below or above what the calendar says."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.resources import Obj
from cairn.vm.hpa import hpa
from cairn.vm.scalein import BURST

GOLDEN = Path(__file__).parent.parent / "golden" / "vm"


def scaler(**counts: Any) -> Obj:
    return hpa("shop", "seller-2088", wanted=Decimal("1.4"), **counts)


def test_hpa_is_what_it_was() -> None:
    obj = scaler(floor=20, ceiling=40, replicas=20, ready=20)
    file = GOLDEN / "peak-horizontalpodautoscaler.yaml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(obj, sort_keys=True, allow_unicode=True), encoding="utf-8")
        pytest.fail(f"{file} was not there and is now: read it")
    assert obj == yaml.safe_load(file.read_text(encoding="utf-8"))


COUNTS = st.integers(0, 1000)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_hpa_lowers_nothing_and_raises_by_a_burst(floor: int, more: int, replicas: int, ready: int) -> None:
    spec = scaler(floor=floor, ceiling=floor + more, replicas=replicas, ready=min(ready, replicas))["spec"]

    assert spec["behavior"]["scaleDown"] == {"selectPolicy": "Disabled"}
    assert spec["maxReplicas"] >= replicas, "a maximum below what stands removes clones at once"
    assert 1 <= spec["minReplicas"] <= max(1, floor)
    assert spec["minReplicas"] <= spec["maxReplicas"]
    assert spec["maxReplicas"] <= max(replicas, min(ready, replicas) + BURST)
    assert spec["maxReplicas"] <= max(1, replicas, floor + more)
