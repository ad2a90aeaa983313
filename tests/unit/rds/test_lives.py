# SPDX-License-Identifier: Apache-2.0
"""What holds of a database whatever its user does while promotions come and go, and however seldom anybody looks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.api.quantity import compare
from cairn.api.sellerrds import SellerRDS
from cairn.calendar.asked import ask
from unit.rds import world
from unit.rds.lived import Life, plan_of, promotion
from unit.rds.world import NOW

HOUR = timedelta(hours=1)
SIZES = {"db.small": ("500m", "512Mi"), "db.large": ("2", "2Gi"), "db.tiny": ("250m", "256Mi")}
PROMOTIONS = (
    promotion("double-11", starts_in=10 * HOUR),
    promotion("frozen", starts_in=20 * HOUR, freeze=True),
    promotion("late", starts_in=60 * HOUR, lasts=5 * HOUR, warmUp="1h", coolDown="0", freeze=True),
)
PLANS = (plan_of("db.large", "2", "2Gi", 200, rank=10), plan_of("db.tiny", "250m", "256Mi", 20))
WINDOW = {"name": "n", "days": ["Mon", "Wed", "Fri", "Sun"], "start": "01:00", "duration": "5h"}
CHANGES: tuple[dict[str, Any], ...] = (
    {},
    {"powerState": "Stopped"},
    {"powerState": "Running"},
    *({"planRef": {"name": name}} for name in SIZES),
    {"promotions": []},
    {"promotions": [{"name": "double-11", "planRef": {"name": "db.large"}}, {"name": "frozen"}]},
    {"promotions": [{"name": "late", "planRef": {"name": "db.large"}}, {"name": "frozen"}]},
    {"maintenance": {"timeZone": "Asia/Shanghai", "windows": [WINDOW]}},
)
EVENTS = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(CHANGES), st.booleans()), min_size=1, max_size=12)


def frozen_at(life: Life, now: datetime) -> bool:
    model = SellerRDS.model_validate(life.obj)
    return ask(model, life.observed(now).refs, now).frozen is not None


@settings(max_examples=30, deadline=None)
@given(EVENTS)
def test_every_look_settles_and_nothing_restarts_or_shrinks_inside_a_freeze(
    events: list[tuple[int, dict[str, Any], bool]],
) -> None:
    life = Life(world.rds(promotions=[{"name": "double-11", "planRef": {"name": "db.large"}}]), (*PROMOTIONS, *PLANS))
    life.settle(NOW)
    now = NOW
    for hours, change, crashes in events:
        now += hours * HOUR
        life.obj["spec"] |= change
        if crashes and life.pod:
            life.crash()
            life.settle(now)
        frozen, size, restarts, ran = frozen_at(life, now), life.size, life.restarts, life.pod is not None
        got = life.settle(now)
        assert got.conditions[0].status is True, got.conditions
        if frozen and ran:
            assert life.pod is not None
            assert life.restarts == restarts
            assert compare(life.size[0], size[0]) >= 0
            assert compare(life.size[1], size[1]) >= 0
        if life.pod and not frozen:
            assert life.size[0] == SIZES[_plan(life, now)][0]
        assert life.parameters.get("shared_buffers") in (None, "64MB", "128MB", "512MB")
    life.obj["spec"] |= {"promotions": [], "powerState": "Running", "planRef": {"name": "db.small"}}
    life.settle(now)
    life.crash()
    life.settle(now)
    assert life.size == SIZES["db.small"], "nothing of all that lasts"
    assert (life.parameters["shared_buffers"], life.parameters["max_connections"]) == ("128MB", "53")


def _plan(life: Life, now: datetime) -> str:
    model = SellerRDS.model_validate(life.obj)
    return ask(model, life.observed(now).refs, now).capacity.plan or ""
