# SPDX-License-Identifier: Apache-2.0
"""`cairn start|stop|restart|snapshot|restore|clone` by somebody who may make Operations and change no spec."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cairn.cli import operate
from cairn.cli.main import main
from cluster.charted import SELLER, Charted, until
from cluster.samples import sample

HERE = f"/apis/cairn.dev/v1alpha1/namespaces/{SELLER}"
Run = Callable[..., int]


@pytest.fixture(scope="module", autouse=True)
def _targets(charted: Charted) -> None:
    for plural, name in (
        ("sellervms", "shop"),
        ("sellervms", "both"),
        ("sellerrdses", "both"),
        ("sellerrdses", "base"),
    ):
        assert charted.admin.create(f"{HERE}/{plural}", sample(plural, name, SELLER)).ok


@pytest.fixture
def staff(charted: Charted, tmp_path: Path) -> Run:
    """The command line of an account with cairn-operator-staff, whose kubeconfig names the namespace."""
    caller = charted.account(SELLER, "operating", "cairn-operator-staff")
    until(lambda: caller.get(f"{HERE}/operations"), lambda a: a.ok)
    path = charted.kubeconfig(tmp_path / "staff.conf", caller.token, SELLER)
    return lambda *args: main([*args, "--kubeconfig", str(path)])


def made(charted: Charted, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The Operation whose name was printed."""
    kind, _, name = capsys.readouterr().out.strip().partition("/")
    assert kind == "operation.cairn.dev"
    found: dict[str, Any] = charted.admin.get(f"{HERE}/operations/{name}").body
    return found


@pytest.mark.parametrize(
    ("args", "spec"),
    [
        pytest.param(("stop", "svm/shop"), {"action": "stop", "target": ("SellerVM", "shop")}, id="stop"),
        pytest.param(("start", "srds/base"), {"action": "start", "target": ("SellerRDS", "base")}, id="start"),
        pytest.param(("restart", "base"), {"action": "restart", "target": ("SellerRDS", "base")}, id="kind-left-out"),
        pytest.param(("snapshot", "shop"), {"action": "snapshot", "target": ("SellerVM", "shop")}, id="snapshot"),
        pytest.param(
            ("snapshot", "both", "eve"),
            {"action": "snapshot", "target": ("SellerVM", "both"), "args": {"name": "eve"}},
            id="snapshot-by-name",
        ),
        pytest.param(
            ("restore", "svm/shop", "eve", "--confirm", "shop"),
            {"action": "restore", "target": ("SellerVM", "shop"), "args": {"snapshot": "eve"}, "confirm": "shop"},
            id="restore",
        ),
        pytest.param(
            ("clone", "shop", "shop-2"),
            {"action": "clone", "target": ("SellerVM", "shop"), "args": {"name": "shop-2"}},
            id="clone",
        ),
        pytest.param(
            ("erase", "itenant/main", "--shop", "55501", "--ouid", "AAHk5d", "--confirm", "main"),
            {
                "action": "erase",
                "target": ("IntegrationTenant", "main"),
                "args": {"shop": "55501", "ouid": "AAHk5d"},
                "confirm": "main",
            },
            id="erase",
        ),
        pytest.param(
            ("replay", "push/orders", "--datasets", "trades", "--ids", "17,18"),
            {
                "action": "replay",
                "target": ("PushSubscription", "orders"),
                "args": {"datasets": ["trades"], "ids": [17, 18]},
            },
            id="replay",
        ),
        pytest.param(
            ("discard", "push/orders", "--reason", "BAD_JSON", "--because", "tests", "--confirm", "orders"),
            {
                "action": "discard",
                "target": ("PushSubscription", "orders"),
                "args": {"reason": "BAD_JSON", "because": "tests"},
                "confirm": "orders",
            },
            id="discard",
        ),
        pytest.param(
            ("audit", "push/orders", "--since", "2026-11-11T00:00:00+08:00", "--depth", "light", "--no-repair"),
            {
                "action": "audit",
                "target": ("PushSubscription", "orders"),
                "args": {"since": "2026-11-11T00:00:00+08:00", "depth": "light", "repair": False},
            },
            id="audit",
        ),
        pytest.param(
            ("backfill", "push/orders", "--since", "2026-11-01T00:00:00Z", "--until", "2026-11-11T00:00:00Z"),
            {
                "action": "backfill",
                "target": ("PushSubscription", "orders"),
                "args": {"since": "2026-11-01T00:00:00+00:00", "until": "2026-11-11T00:00:00+00:00"},
            },
            id="backfill",
        ),
    ],
)
def test_verb_writes_an_operation(
    charted: Charted, staff: Run, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], spec: dict[str, Any]
) -> None:
    assert staff(*args) == 0
    operation = made(charted, capsys)
    kind, name = spec["target"]
    assert operation["spec"] == spec | {"target": {"kind": kind, "name": name}}
    assert operation["metadata"]["name"].startswith(f"{args[0]}-{name}-")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        pytest.param(("stop", "both"), "write svm/both or srds/both", id="ambiguous"),
        pytest.param(("stop", "none"), f"no SellerVM and no SellerRDS none in {SELLER}", id="missing"),
        pytest.param(("snapshot", "srds/base"), "is for svm/NAME", id="not-a-machine"),
        pytest.param(("stop", "push/orders"), "is for svm/NAME or srds/NAME", id="another-kind"),
        pytest.param(("restore", "shop", "eve"), "--confirm shop", id="unconfirmed"),
        pytest.param(("restore", "shop", "eve", "--confirm", "both"), "--confirm shop", id="confirmed-wrongly"),
        pytest.param(("erase", "itenant/main", "--shop", "1", "--ouid", "A"), "--confirm main", id="erase-unconfirmed"),
        pytest.param(("erase", "svm/shop", "--shop", "1", "--ouid", "A"), "is for itenant/NAME", id="erase-a-machine"),
        pytest.param(("replay", "svm/shop"), "is for push/NAME", id="replay-of-a-machine"),
        pytest.param(
            ("discard", "push/orders", "--ids", "1", "--because", "x"), "--confirm orders", id="discard-unconfirmed"
        ),
        pytest.param(
            ("backfill", "push/orders", "--since", "2026-11-02T00:00:00Z", "--until", "2026-11-01T00:00:00Z"),
            "spec.args.until is not after since",
            id="empty-span",
        ),
        pytest.param(("stop", "svm/shop", "-n", "kube-system"), "forbidden", id="no-right"),
        pytest.param(("stop", "shop", "-n", "kube-system"), "write its kind too", id="no-right-to-look"),
    ],
)
def test_verb_that_cannot_be_meant_writes_nothing(
    charted: Charted, staff: Run, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], told: str
) -> None:
    before = len(charted.admin.get(f"{HERE}/operations").body["items"])
    assert staff(*args) == 2
    said = capsys.readouterr()
    assert told in said.err
    assert said.err.startswith(f"cairn {args[0]}: ")
    assert said.out == ""
    assert len(charted.admin.get(f"{HERE}/operations").body["items"]) == before


@pytest.mark.parametrize(("phase", "code"), [("Succeeded", 0), ("Failed", 1)])
def test_wait_follows_it_to_its_end(
    charted: Charted,
    staff: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
    code: int,
) -> None:
    monkeypatch.setattr(operate, "LOOK_SECONDS", 0.05)
    target = f"wait-{phase.lower()}"
    charted.admin.create(f"{HERE}/sellervms", sample("sellervms", target, SELLER))

    def operator() -> None:
        """Says twice what it does, as the real one would."""
        listed = until(lambda: _of(charted, target), bool)
        path = f"{HERE}/operations/{listed[0]['metadata']['name']}/status"
        for now, message in (("Running", "waits for it"), (phase, "at its end")):
            ready = {"type": "Ready", "status": "False", "reason": "Progressing", "message": message}
            ready["lastTransitionTime"] = "2026-11-22T12:00:00Z"
            assert charted.operator.merge(path, {"status": {"phase": now, "conditions": [ready]}}).ok

    thread = threading.Thread(target=operator)
    thread.start()
    assert staff("stop", f"svm/{target}", "--wait", "--timeout", "60s") == code
    thread.join()
    assert f"{phase}: at its end" in capsys.readouterr().err


def test_wait_that_takes_too_long_says_so(
    charted: Charted, staff: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(operate, "PATIENCE_SECONDS", 0.1)
    assert staff("stop", "svm/shop", "--wait", "--timeout", "1s") == 2
    said = capsys.readouterr().err
    assert "does Cairn's operator run?" in said
    assert "has not ended within 1 s" in said


def test_names_stay_within_their_limit(charted: Charted, staff: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert staff("restart", f"svm/{'m' * 40}") == 0
    assert len(made(charted, capsys)["metadata"]["name"]) <= 40


def _of(charted: Charted, target: str) -> list[dict[str, Any]]:
    items = charted.admin.get(f"{HERE}/operations").body["items"]
    return [one for one in items if one["spec"]["target"]["name"] == target]
