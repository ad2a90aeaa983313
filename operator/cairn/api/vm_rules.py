# SPDX-License-Identifier: Apache-2.0
"""What must hold for a SellerVM beyond types and patterns."""

from __future__ import annotations

from cairn.api.quantity import compare
from cairn.api.resources import Obj
from cairn.api.rules import Rule, Value, at, between, multiple
from cairn.api.schedule import PROMOTION_PLANS_NEED_A_PLAN
from cairn.api.serviceplan import MEMORY_STEP

_CPU, _MEMORY = multiple("cpu"), multiple("memory", MEMORY_STEP)

RESOURCES_RULES = (
    Rule(
        name="resources-cpu-whole",
        field="cpu",
        cel=_CPU[0],
        twin=_CPU[1],
        message="spec.resources.cpu {value} is not a whole number of vCPU: round it up",
    ),
    Rule(
        name="resources-memory-step",
        field="memory",
        cel=_MEMORY[0],
        twin=_MEMORY[1],
        message="spec.resources.memory {value} is not a multiple of 2Mi, which KubeVirt counts in: round it up, such as"
        " 4Gi",
    ),
    between("resources.cpu", "1", "256"),
    between("resources.memory", "64Mi", "12Ti"),
)

SOURCES = ("name", "snapshot", "pvc", "fromVM", "registry", "http")
IMAGE_RULES = (
    Rule(
        name="image-one-source",
        field="name",
        cel="[has(self.name), has(self.snapshot), has(self.pvc), has(self.fromVM), has(self.registry),"
        " has(self.http)].filter(x, x).size() == 1",
        twin=lambda new, _: sum(key in new for key in SOURCES) == 1,
        message="spec.image needs exactly one of name, snapshot, pvc, fromVM, registry and http: add one, or remove the"
        " others",
        reason="FieldValueRequired",
    ),
)
KEEP_RULES = (
    Rule(
        name="snapshots-keep-something",
        field="last",
        cel="has(self.last) || has(self.days)",
        twin=lambda new, _: "last" in new or "days" in new,
        message="spec.snapshots.keep needs last, days or both: say how many are kept",
        reason="FieldValueRequired",
    ),
)
AUTOSCALE_RULES = (
    Rule(
        name="autoscale-clones-ordered",
        field="clones.max",
        cel="self.clones.min <= self.clones.max",
        twin=lambda new, _: new["clones"]["min"] <= new["clones"]["max"],
        message="spec.autoscale.clones.max {value} is less than min: raise it, or lower min",
    ),
)


def _disk_grows(new: Obj, old: Obj) -> bool:
    before, now = at(old, "disk.size"), at(new, "disk.size")
    return before is None or (now is not None and compare(now, before) >= 0)


def _host_port_named(new: Obj, _: Obj) -> bool:
    return "expose" not in new or any(port["name"] == new["expose"]["port"] for port in new["ports"])


def _ports_unique(new: Obj, _: Obj) -> bool:
    numbers = [port["port"] for port in new["ports"]]
    return len(numbers) == len(set(numbers))


def _ports_twice(new: Obj, _: Obj) -> list[int]:
    numbers = [port["port"] for port in new["ports"]]
    return [number for number in numbers if numbers.count(number) > 1]


SPEC_RULES = (
    Rule(
        name="one-of-plan-resources",
        field="planRef",
        cel="has(self.planRef) != has(self.resources)",
        twin=lambda new, _: ("planRef" in new) != ("resources" in new),
        message="spec needs exactly one of planRef and resources: add one, or remove the other",
        reason="FieldValueRequired",
    ),
    Rule(
        name="resources-need-disk",
        field="disk",
        cel="!has(self.resources) || has(self.disk.size)",
        twin=lambda new, _: "resources" not in new or "size" in new["disk"],
        message="spec.disk.size is missing: with resources there is no plan that includes a disk; add it, such as 20Gi",
        reason="FieldValueRequired",
    ),
    Rule(
        name="image-immutable",
        field="image",
        cel="self.image == oldSelf.image",
        twin=lambda new, old: new["image"] == old["image"],
        message="spec.image can't be changed, since the disk is made from it once: make another SellerVM",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="disk-class-immutable",
        field="disk",
        cel="has(self.disk.storageClass) ? has(oldSelf.disk.storageClass)"
        " && self.disk.storageClass == oldSelf.disk.storageClass : !has(oldSelf.disk.storageClass)",
        twin=lambda new, old: at(new, "disk.storageClass") == at(old, "disk.storageClass"),
        message="spec.disk.storageClass can't be added, changed or removed, since a disk keeps its class: make another"
        " SellerVM with image.fromVM",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="disk-never-shrinks",
        field="disk.size",
        cel="!has(oldSelf.disk.size) || (has(self.disk.size) && quantity(string(self.disk.size)).compareTo("
        "quantity(string(oldSelf.disk.size))) >= 0)",
        twin=_disk_grows,
        message="spec.disk.size can't shrink from {old} to {value}, since a disk only grows: restore the old size or"
        " ask for more",
        value=Value(
            "has(self.disk.size) ? string(self.disk.size) : 'the default'",
            lambda new, _: at(new, "disk.size") or "the default",
        ),
    ),
    Rule(
        name="ports-unique",
        field="ports",
        cel="self.ports.all(p, self.ports.exists_one(q, q.port == p.port))",
        twin=_ports_unique,
        message="spec.ports lists the same number twice {value}: give each port one entry",
        value=Value("self.ports.filter(p, !self.ports.exists_one(q, q.port == p.port)).map(p, p.port)", _ports_twice),
    ),
    Rule(
        name="expose-names-a-port",
        field="expose.port",
        cel="!has(self.expose) || self.ports.exists(p, p.name == self.expose.port)",
        twin=_host_port_named,
        message="spec.expose.port names none of spec.ports: add the port there, or name one that stands",
    ),
    PROMOTION_PLANS_NEED_A_PLAN,
)
