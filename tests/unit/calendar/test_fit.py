# SPDX-License-Identifier: Apache-2.0
"""What a participant says about whether it will have room: quota, limits, storage class, KubeVirt, and nodes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.api.conditions import Condition, Reason
from cairn.api.resources import Obj
from cairn.api.seller import Seller
from cairn.calendar.fit import Site, peak_fits, preflight_on
from unit.calendar.sizes import (
    CHECKED,
    END,
    NAMESPACE,
    PREFLIGHT,
    condition,
    custom,
    double_11,
    entry,
    model,
    plans,
    promotions,
    push,
    rds,
    vm,
)

RUNS: Obj = {"size": {"cpu": "2", "memory": "4Gi"}}
FULL = condition("PeakFits", "False", "DoesNotFit", "needs 160 vCPU, 92 free on nodes: add nodes")
ELASTIC = condition("PeakFits", "Unknown", "NodesElastic", "needs 160 vCPU, 92 free on nodes: an autoscaler may help")


def fits(obj: Obj, *said: Obj, site: Site | None = None, now: Any = PREFLIGHT) -> tuple[Condition, ...]:
    known = promotions(double_11("double-11", *said))
    return peak_fits(model(obj), known, plans(), now, site or Site())


def seller(cpu: tuple[str, str] = ("100", "90"), **more: tuple[str, str]) -> Seller:
    parts = {"cpu": cpu, "memory": ("1Ti", "500Gi"), "storage": ("1Ti", "500Gi")} | more
    peak = {"name": "double-11"} | {key: {"hard": hard, "needed": needed} for key, (hard, needed) in parts.items()}
    spec = {"id": "2088", "namespace": NAMESPACE, "planRef": {"name": "seller.standard"}}
    return Seller.model_validate(custom("Seller", "acme", spec, status={"peaks": [peak]}))


def limit_range(kind: str, **most: str) -> Obj:
    return {"metadata": {"name": "house-rules"}, "spec": {"limits": [{"type": kind, "max": most}]}}


SHOP = vm("shop", entry(plan="vm.large", replicas=(20, 40)), status=RUNS)
CLASS: Obj = {"metadata": {"name": "fast"}}
CLAIM: Obj = {"spec": {"storageClassName": "fast"}}
ROOM = Site(seller=seller(), claim=CLAIM, storage_class=CLASS)


def test_nothing_is_said_without_a_preflight() -> None:
    assert fits(SHOP, site=ROOM) == ()
    assert preflight_on(model(SHOP), promotions(double_11())) == ()
    assert preflight_on(model(SHOP), promotions(double_11("double-11", CHECKED))) == ("double-11",)


def test_room_everywhere_fits() -> None:
    assert fits(SHOP, CHECKED, site=ROOM) == (Condition("PeakFits", True, Reason.FITS),)


def test_freeze_alone_needs_nothing_whatever_the_nodes_say() -> None:
    frozen = vm("shop", entry(), status=RUNS)
    assert fits(frozen, FULL) == (Condition("PeakFits", True, Reason.FITS, "it asks for no more than it has"),)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(
            FULL,
            Condition("PeakFits", False, Reason.DOES_NOT_FIT, f"Promotion double-11: {FULL['message']}"),
            id="do-not-fit",
        ),
        pytest.param(
            ELASTIC,
            Condition("PeakFits", None, Reason.NODES_ELASTIC, f"Promotion double-11: {ELASTIC['message']}"),
            id="elastic",
        ),
    ],
)
def test_nodes_are_as_the_promotion_says(said: Obj, expected: Condition) -> None:
    assert fits(SHOP, said, site=ROOM) == (expected,)


@pytest.mark.parametrize(
    ("obj", "site", "message"),
    [
        pytest.param(
            SHOP,
            Site(seller=seller(("60", "82")), storage_class=CLASS),
            "Promotion double-11: the seller's namespace needs 82 of cpu, its quota will be 60: ask for less, or choose"
            " a plan with a larger peak for the Seller",
            id="quota",
        ),
        pytest.param(
            rds("db", entry(plan="db.large")),
            Site(seller=seller(memory=("16Gi", "18432Mi"))),
            "Promotion double-11: the seller's namespace needs 18432Mi of memory, its quota will be 16Gi: ask for less,"
            " or choose a plan with a larger peak for the Seller",
            id="quota-of-a-database",
        ),
        pytest.param(
            SHOP,
            Site(limit_ranges=(limit_range("Container", cpu="4"),), storage_class=CLASS),
            "LimitRange house-rules allows a Container at most 4 of cpu, and 8 are needed: raise it, or choose less",
            id="limit-range",
        ),
        pytest.param(
            push("orders", entry(plan="push.large")),
            Site(limit_ranges=(limit_range("Pod", memory="512Mi", cpu="8"),)),
            "LimitRange house-rules allows a Pod at most 512Mi of memory, and 1Gi are needed: raise it, or choose less",
            id="limit-range-of-pods",
        ),
        pytest.param(
            SHOP,
            Site(limit_ranges=(limit_range("PersistentVolumeClaim", storage="10Gi"),), storage_class=CLASS),
            "LimitRange house-rules allows a PersistentVolumeClaim at most 10Gi of storage, and 21788Mi are needed:"
            " raise it, or choose less",
            id="limit-range-of-volumes",
        ),
        pytest.param(
            SHOP,
            Site(claim=CLAIM),
            "StorageClass fast does not exist, and clones need disks of it: create it",
            id="storage-class",
        ),
        pytest.param(
            SHOP,
            Site(machine={"spec": {"template": {"spec": {"domain": {"cpu": {"cores": 2, "maxSockets": 2}}}}}}),
            "ServicePlan vm.large has 8 vCPU, and the machine can grow to 4 while it runs: restart the machine before"
            " the warm-up begins",
            id="sockets",
        ),
        pytest.param(
            SHOP,
            Site(machine={"spec": {"template": {"spec": {"domain": {"memory": {"maxGuest": "8Gi"}}}}}}),
            "ServicePlan vm.large has 16Gi, and the machine can grow to 8Gi while it runs: restart the machine before"
            " the warm-up begins",
            id="guest",
        ),
        pytest.param(
            SHOP,
            Site(kubevirt={"spec": {"configuration": {"liveUpdateConfiguration": {"maxCpuSockets": 4}}}}),
            "ServicePlan vm.large has 8 vCPU, and the machine can grow to 4 while it runs: raise it in"
            " liveUpdateConfiguration of the KubeVirt object, then restart the machine",
            id="kubevirt",
        ),
    ],
)
def test_what_is_missing_is_said_in_numbers_with_its_remedy(obj: Obj, site: Site, message: str) -> None:
    assert fits(obj, CHECKED, site=site) == (Condition("PeakFits", False, Reason.DOES_NOT_FIT, message),)
    assert fits(obj, FULL, site=site)[0].message == message


@pytest.mark.parametrize(
    "site",
    [
        pytest.param(Site(limit_ranges=(limit_range("Container", cpu="8", memory="1Ti"),)), id="as-much-as-allowed"),
        pytest.param(
            Site(
                limit_ranges=(
                    {
                        "metadata": {"name": "cairn"},
                        "spec": {"limits": [{"type": "Container", "default": {"cpu": "500m"}}]},
                    },
                )
            ),
            id="defaults-only",
        ),
        pytest.param(
            Site(
                machine={"spec": {"template": {"spec": {"domain": {"cpu": {"maxSockets": 8}}}}}},
                kubevirt={"spec": {"configuration": {"liveUpdateConfiguration": {"maxCpuSockets": 4}}}},
            ),
            id="own-limit-before-the-cluster's",
        ),
    ],
)
def test_what_suffices_is_no_problem(site: Site) -> None:
    assert fits(SHOP, CHECKED, site=site)[0].status is True


def test_machine_that_has_the_size_already_is_not_asked_to_grow() -> None:
    there = SHOP | {"status": {"size": {"cpu": "8", "memory": "16Gi"}}}
    low = Site(machine={"spec": {"template": {"spec": {"domain": {"cpu": {"maxSockets": 4}}}}}})
    assert fits(there, CHECKED, site=low)[0].status is True


def test_several_problems_are_all_said_at_once() -> None:
    (said,) = fits(SHOP, CHECKED, site=Site(seller=seller(("60", "82")), claim=CLAIM))
    assert "needs 82 of cpu" in said.message
    assert "StorageClass fast does not exist" in said.message


def test_class_of_a_disk_that_is_still_to_be_made_is_not_known_to_be_missing() -> None:
    early = SHOP | {"spec": SHOP["spec"] | {"disk": {"storageClass": "fast"}}}
    assert fits(early, CHECKED)[0].status is True


def test_window_that_is_over_asks_for_nothing() -> None:
    assert fits(SHOP, FULL, now=END)[0].status is True


MOST = st.integers(1, 64).map(str)


@given(MOST, MOST, st.sampled_from((CHECKED, FULL, ELASTIC)))
def test_more_room_never_makes_it_not_fit(less: str, more: str, said: Obj) -> None:
    low, high = sorted((less, more), key=int)
    sites = [Site(seller=seller((cpu, "32")), limit_ranges=(limit_range("Container", cpu=cpu),)) for cpu in (low, high)]
    order = {False: 0, None: 1, True: 2}
    first, second = (order[fits(SHOP, said, site=site)[0].status] for site in sites)
    assert first <= second
