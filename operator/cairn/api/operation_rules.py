# SPDX-License-Identifier: Apache-2.0
"""What an Operation may ask for: which action of which kind, and what each must and may not say beside."""

from __future__ import annotations

from datetime import datetime

from cairn.api.resources import Obj
from cairn.api.rules import Rule

ACTIONS = {
    "SellerVM": ("clone", "restart", "restore", "snapshot", "start", "stop"),
    "SellerRDS": ("restart", "start", "stop"),
    "IntegrationTenant": ("erase",),
    "PushSubscription": ("audit", "backfill", "discard", "replay"),
}
"""What can be done to what."""
_CONFIRMED = ("discard", "erase", "restore")
_SPANNED = ("audit", "backfill")
_CHOOSING = ("discard", "replay")


def _given(new: Obj, *names: str) -> bool:
    """Whether any of these args is."""
    return any(name in new.get("args", {}) for name in names)


ARGS_RULES = (
    Rule(
        name="until-after-since",
        field="until",
        cel="!has(self.since) || !has(self.until) || self.since < self.until",
        twin=lambda new, _: not {"since", "until"} <= new.keys() or _moment(new["since"]) < _moment(new["until"]),
        message="spec.args.until is not after since: raise it, or lower since",
    ),
)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _spec_immutable() -> Rule:
    return Rule(
        name="spec-immutable",
        field="target",
        cel="self == oldSelf",
        twin=lambda new, old: new == old,
        message="spec of an Operation can't be changed: it is one deed; make another one",
        reason="FieldValueForbidden",
    )


SPEC_RULES = (
    _spec_immutable(),
    Rule(
        name="action-of-the-kind",
        field="action",
        cel=" || ".join(
            f"(self.target.kind == '{kind}' && self.action in {list(known)})" for kind, known in ACTIONS.items()
        ),
        twin=lambda new, _: new["action"] in ACTIONS[new["target"]["kind"]],
        message="spec.action {value} is nothing that can be done to it: a SellerRDS knows start, stop and restart, an"
        " IntegrationTenant erase, a PushSubscription audit, backfill, discard and replay, a SellerVM all others",
    ),
    Rule(
        name="restore-needs-snapshot",
        field="args.snapshot",
        cel="(self.action == 'restore') == self.?args.?snapshot.hasValue()",
        twin=lambda new, _: (new["action"] == "restore") == ("snapshot" in new.get("args", {})),
        message="spec.args.snapshot is for the action restore, which needs it: add it, or remove it",
        reason="FieldValueRequired",
    ),
    Rule(
        name="clone-needs-name",
        field="args.name",
        cel="self.action == 'snapshot' || (self.action == 'clone') == self.?args.?name.hasValue()",
        twin=lambda new, _: (
            new["action"] == "snapshot" or (new["action"] == "clone") == ("name" in new.get("args", {}))
        ),
        message="spec.args.name is for the actions clone, which needs it, and snapshot: add it, or remove it",
        reason="FieldValueRequired",
    ),
    Rule(
        name="erase-needs-a-buyer",
        field="args.ouid",
        cel="(self.action == 'erase') == self.?args.?ouid.hasValue()"
        " && (self.action == 'erase') == self.?args.?shop.hasValue()",
        twin=lambda new, _: all((new["action"] == "erase") == (key in new.get("args", {})) for key in ("ouid", "shop")),
        message="spec.args.shop and ouid are for the action erase, which needs both: add them, or remove them",
        reason="FieldValueRequired",
    ),
    Rule(
        name="confirmed",
        field="confirm",
        cel=f"!(self.action in {list(_CONFIRMED)}) || (has(self.confirm) && self.confirm == self.target.name)",
        twin=lambda new, _: new["action"] not in _CONFIRMED or new.get("confirm") == new["target"]["name"],
        message="spec.confirm must repeat the target's name: restore replaces the machine's disk (the old one is kept),"
        " erase hides a buyer from every app for good, discard gives up records",
        reason="FieldValueRequired",
    ),
    Rule(
        name="datasets-of-a-subscription",
        field="args.datasets",
        cel="self.target.kind == 'PushSubscription' || !self.?args.?datasets.hasValue()",
        twin=lambda new, _: new["target"]["kind"] == "PushSubscription" or not _given(new, "datasets"),
        message="spec.args.datasets is for a PushSubscription: remove it",
    ),
    Rule(
        name="choice-of-quarantine",
        field="args.ids",
        cel=f"self.action in {list(_CHOOSING)} || !(self.?args.?ids.hasValue() || self.?args.?reason.hasValue())",
        twin=lambda new, _: new["action"] in _CHOOSING or not _given(new, "ids", "reason"),
        message="spec.args.ids and reason are for the actions replay and discard: remove them",
    ),
    Rule(
        name="discard-says-what",
        field="args.ids",
        cel="self.action != 'discard' || self.?args.?ids.hasValue() || self.?args.?reason.hasValue()",
        twin=lambda new, _: new["action"] != "discard" or _given(new, "ids", "reason"),
        message="spec.args.ids or reason is needed for discard: say which records are given up",
        reason="FieldValueRequired",
    ),
    Rule(
        name="discard-says-why",
        field="args.because",
        cel="(self.action == 'discard') == self.?args.?because.hasValue()",
        twin=lambda new, _: (new["action"] == "discard") == _given(new, "because"),
        message="spec.args.because is for the action discard, which needs it: add it, or remove it",
        reason="FieldValueRequired",
    ),
    Rule(
        name="span-for-audit-and-backfill",
        field="args.since",
        cel=f"self.action in {list(_SPANNED)} || !(self.?args.?since.hasValue() || self.?args.?until.hasValue())",
        twin=lambda new, _: new["action"] in _SPANNED or not _given(new, "since", "until"),
        message="spec.args.since and until are for the actions audit and backfill: remove them",
    ),
    Rule(
        name="backfill-needs-since",
        field="args.since",
        cel="self.action != 'backfill' || self.?args.?since.hasValue()",
        twin=lambda new, _: new["action"] != "backfill" or _given(new, "since"),
        message="spec.args.since is missing: say from when on history is brought in",
        reason="FieldValueRequired",
    ),
    Rule(
        name="depth-for-audit",
        field="args.depth",
        cel="self.action == 'audit' || !(self.?args.?depth.hasValue() || self.?args.?repair.hasValue())",
        twin=lambda new, _: new["action"] == "audit" or not _given(new, "depth", "repair"),
        message="spec.args.depth and repair are for the action audit: remove them",
    ),
)
