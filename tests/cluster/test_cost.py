# SPDX-License-Identifier: Apache-2.0
"""`cairn cost`, `cairn calendar --live` and `cairn render --cost` against a real API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from cairn.api.resources import GROUP, VERSION, Resource
from cairn.calendar.price import month_of, next_month
from cairn.cli.live import UnreachableError, read
from cairn.cli.main import main
from devcluster import ControlPlane
from unit.cli.test_cost import EXAMPLE

HOME = "seller-8801"
MONTH = next_month(next_month(month_of(datetime.now(UTC))))
"""One in which the example's objects, made today, stand from the first day on."""


def example(month: date = MONTH) -> str:
    """The documentation's, under names that no other test uses."""
    text = (
        EXAMPLE.replace("2026-11-10T", f"{month:%Y-%m}-10T")
        .replace("2088", "8801")
        .replace("{name: acme}", "{name: priced}")
    )
    for plan in ("seller.standard", "vm.medium", "vm.large", "db.medium", "db.xlarge", "double-11"):
        text = text.replace(f"{{name: {plan}", f"{{name: priced-{plan}")
    return text


def objects(*kinds: str) -> str:
    return "---\n".join(part for part in example().split("---\n") if any(f"kind: {kind}\n" in part for kind in kinds))


@pytest.fixture(scope="module")
def priced(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The example stands in the cluster."""
    control_plane.kubectl("create", "namespace", HOME)
    control_plane.kubectl("apply", "-f", "-", input=example())
    yield control_plane
    control_plane.kubectl("delete", "--wait=false", "-f", "-", input=example())
    control_plane.kubectl("delete", "--wait=false", "namespace", HOME)


def said(plane: ControlPlane, capsys: pytest.CaptureFixture[str], *args: str | Path, code: int = 0) -> tuple[str, str]:
    command, *rest = map(str, args)
    assert main([command, "--kubeconfig", str(plane.kubeconfig), *rest]) == code
    out, err = capsys.readouterr()
    return out, err


def cost(plane: ControlPlane, capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    out, _ = said(plane, capsys, "cost", "-n", HOME, "-o", "json", *args)
    found: dict[str, Any] = json.loads(out)
    return found


def test_cost_of_a_month_is_that_of_the_example(priced: ControlPlane, capsys: pytest.CaptureFixture[str]) -> None:
    found = cost(priced, capsys, "--month", f"{MONTH:%Y-%m}")
    assert found["total"] == {"month": "705.00", "load": "0.00", "promotions": "964.00", "promotionsAtMost": "1932.00"}
    assert [(one["kind"], one["month"]) for one in found["resources"]] == [
        ("Seller", "85.00"),
        ("SellerVM", "255.00"),
        ("SellerRDS", "365.00"),
    ]


def test_cost_before_it_was_made_is_nothing_and_of_this_month_its_days(
    priced: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cost(priced, capsys, "--month", "2026-01")["total"]["month"] == "0.00"
    now = datetime.now(UTC)
    found = cost(priced, capsys)
    days = (next_month(month_of(now)) - month_of(now)).days
    left = days - now.day + 1
    assert found["daysAhead"] == 90
    assert float(found["total"]["month"]) == pytest.approx(705 * left / days, abs=0.01)
    assert found["total"]["promotions"] == "964.00"


def test_cost_shows_the_currency_that_the_operator_shows_on_its_plans(
    priced: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ("serviceplan", "priced-db.medium", "--subresource=status", "--type=merge", "-p")
    priced.kubectl("patch", *plan, '{"status": {"price": {"currency": "EUR", "monthly": "365"}}}')
    try:
        assert cost(priced, capsys)["currency"] == "EUR"
    finally:
        priced.kubectl("patch", *plan, '{"status": null}')


def test_cost_of_a_namespace_that_is_nobodys_names_those_there_are(
    priced: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = said(priced, capsys, "cost", "-n", "seller-0", code=2)
    assert err.startswith("cairn cost: -n seller-0: no Seller has this namespace and nothing is in it: write one of ")


def test_calendar_live_takes_files_over_what_stands(
    priced: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = ("--from", f"{MONTH:%Y-%m}-09", "--to", f"{MONTH:%Y-%m}-14")
    live, _ = said(priced, capsys, "calendar", "--live", "-n", HOME, *span)
    assert "priced-vm.large   20..40  Promotion/priced-double-11" in live
    changed = tmp_path / "vm.yaml"
    changed.write_text(objects("SellerVM").replace("min: 20, max: 40", "min: 30, max: 60"))
    picture = tmp_path / "a.svg"
    over, _ = said(priced, capsys, "calendar", "--live", "-n", HOME, *span, "--svg", picture, changed)
    assert "priced-vm.large   30..60  Promotion/priced-double-11" in over
    assert "priced-db.xlarge" in over
    assert "×31..61" in picture.read_text(encoding="utf-8")


def test_render_cost_takes_what_the_files_lack_from_the_cluster(
    priced: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "vm.yaml"
    file.write_text(objects("SellerVM").replace("{name: shop,", "{name: another,"))
    out, err = said(priced, capsys, "render", "--cost", "--at", f"{MONTH:%Y-%m}-01", file)
    assert err == ""
    lines = out.splitlines()
    assert lines[1].split() == [
        "priced",
        HOME,
        "SellerVM",
        "another",
        "priced-vm.medium",
        "255.00",
        "-",
        "895.00",
        "1863.00",
    ]
    assert [line.split()[2] for line in lines[1:3]] == ["SellerVM", "total"]


def test_server_without_cairn_or_without_an_answer_is_named(
    control_plane: ControlPlane, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnreachableError, match=r"nothings: .*is Cairn installed there"):
        asyncio.run(read([Resource(GROUP, VERSION, "Nothing", "nothings")], str(control_plane.kubeconfig), None))
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(control_plane.kubeconfig.read_text().replace(control_plane.server, "https://127.0.0.1:9"))
    assert main(["cost", "--kubeconfig", str(elsewhere)]) == 2
    assert "no answer from the API server" in capsys.readouterr().err


def test_printer_columns_show_cost_where_asked_for(priced: ControlPlane) -> None:
    body = json.dumps({"status": {"cost": {"currency": "CNY", "month": "255.00", "promotions": "895.00"}}})
    priced.kubectl("patch", "sellervm", "shop", "-n", HOME, "--subresource=status", "--type=merge", "-p", body)
    head, line = priced.kubectl("get", "sellervm", "shop", "-n", HOME, "-o", "wide").splitlines()
    assert {"MONTH", "PROMOTIONS"} <= set(head.split())
    assert {"255.00", "895.00"} <= set(line.split())
