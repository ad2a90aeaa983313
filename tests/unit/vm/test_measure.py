# SPDX-License-Identifier: Apache-2.0
"""What is asked of the metrics API, and that nobody waits for one that is down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from cairn.api.resources import PODMETRICS, Obj
from cairn.engine.kind import Observed
from cairn.vm import measure
from unit.vm import peaks

BY_LOAD = peaks.svm(autoscale=peaks.AUTOSCALE)


class Metrics:
    """As much of an Io as is needed: it answers, fails or hangs."""

    def __init__(self, answer: list[Obj] | Exception | None) -> None:
        self.answer = answer
        self.asked: list[str] = []

    async def list(self, resource: Any, namespace: str = "", labels: str = "") -> list[Obj]:
        self.asked.append(f"{resource.plural} in {namespace} with {labels}")
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer or []


async def measured(io: Metrics, vm: Any = BY_LOAD, observed: Observed | None = None) -> dict[str, Any]:
    return await measure.measure(vm, observed or Observed(), io)  # type: ignore[arg-type]  # as much as is needed


async def test_cores_are_read_of_the_machine_and_its_clones() -> None:
    pod = {"metadata": {"name": "a"}, "containers": [{"name": "compute", "usage": {"cpu": "730m"}}]}
    io = Metrics([pod])

    assert await measured(io) == {"cores": {"a": "730m"}}
    assert io.asked == ["pods in seller-2088 with vm.cairn.dev/name=shop"]


@pytest.mark.parametrize("answer", [RuntimeError("503"), None], ids=["fails", "hangs"])
async def test_metrics_that_give_no_answer_hold_up_no_pass(
    answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "WAIT_SECONDS", 0.01)

    async with asyncio.timeout(1):
        assert await measured(Metrics(answer)) == {"unread": True}


async def test_nothing_is_asked_where_nobody_scales_or_nothing_is_served() -> None:
    io = Metrics([])

    assert await measured(io, vm=peaks.svm()) == {}
    assert await measured(io, observed=Observed(missing=frozenset({PODMETRICS}))) == {}
    assert io.asked == []
