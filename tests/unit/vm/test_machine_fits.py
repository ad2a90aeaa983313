# SPDX-License-Identifier: Apache-2.0
"""What a machine says, and looks at, while the preflight of one of its promotions is on."""

from __future__ import annotations

from cairn.api.platform import Platform
from cairn.api.resources import LIMITRANGE, STORAGECLASS, Obj, Ref
from cairn.engine.kind import Within
from cairn.vm import decide
from cairn.vm.kind import SellerVMKind
from unit.vm import machine_world as world

ASKS = {"name": "double-11", "planRef": {"name": "vm.large"}, "replicas": {"min": 2, "max": 4}}
SHOP = world.vm(promotions=[ASKS])


def checked(status: str = "True", reason: str = "Fits", message: str = "") -> Obj:
    said = {"type": "PeakFits", "status": status, "reason": reason, "message": message}
    since = {"lastTransitionTime": "2026-11-20T00:00:00Z"}
    return world.promotion(start="2026-11-24T10:00:00") | {"status": {"conditions": [said | since]}}


def test_machine_looks_at_limits_only_while_a_preflight_is_on() -> None:
    kind = SellerVMKind(Platform())
    looks = {Within(LIMITRANGE, world.NAMESPACE), decide.KUBEVIRT_REF}
    there = world.standing(SHOP, refs=[checked()])
    assert looks | {Ref(STORAGECLASS, "", "fast")} <= set(kind.wants(SHOP, there))
    before = world.standing(SHOP, refs=[world.promotion()])
    assert not looks & set(kind.wants(SHOP, before))


def test_machine_says_whether_it_will_have_room() -> None:
    assert world.condition(world.plan(SHOP, world.standing(SHOP, refs=[world.promotion()])), "PeakFits") is None
    room = [checked(), world.storage_class()]
    assert world.said(world.plan(SHOP, world.standing(SHOP, refs=room)), "PeakFits") == (True, "Fits", "")
    full = [checked("False", "DoesNotFit", "needs 8 vCPU, 2 free on nodes"), world.storage_class()]
    got = world.plan(SHOP, world.standing(SHOP, refs=full))
    assert world.said(got, "PeakFits") == (
        False,
        "DoesNotFit",
        "Promotion double-11: needs 8 vCPU, 2 free on nodes",
    )
    assert world.said(got, "Ready")[0] is True


def test_machine_says_what_of_its_namespace_is_in_the_way() -> None:
    limits = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "house-rules", "namespace": world.NAMESPACE},
        "spec": {"limits": [{"type": "Container", "max": {"cpu": "3"}}]},
    }
    _, _, message = world.said(world.plan(SHOP, world.standing(SHOP, refs=[checked(), limits])), "PeakFits")
    assert "LimitRange house-rules allows a Container at most 3 of cpu, and 4 are needed" in message


def test_machine_reads_what_its_seller_says_about_the_quota() -> None:
    tight = {"hard": "10", "needed": "22"}
    ample = {"hard": "1Ti", "needed": "1Gi"}
    peak = {"name": "double-11", "cpu": tight, "memory": ample, "storage": ample}
    owner = world.seller() | {"status": {"peaks": [peak]}}
    refs = [checked(), world.storage_class(), owner]
    _, _, message = world.said(world.plan(SHOP, world.standing(SHOP, refs=refs)), "PeakFits")
    assert message.startswith("Promotion double-11: the seller's namespace needs 22 of cpu, its quota will be 10: ")
