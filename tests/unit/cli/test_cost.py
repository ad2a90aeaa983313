# SPDX-License-Identifier: Apache-2.0
"""`cairn cost` and `cairn render --cost`, of manifests."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest

from cairn.cli.main import main

PAGE = Path(__file__).resolve().parents[3] / "docs" / "plans-and-cost.md"


def block(kind: str) -> str:
    """The page's only block of this kind."""
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return str(found)


EXAMPLE, TABLE = block("yaml"), block("text")
OTHER = """---
apiVersion: cairn.dev/v1alpha1
kind: Seller
metadata: {name: bolt}
spec:
  id: "2099"
  namespace: seller-2099
  planRef: {name: seller.standard}
  shops: [{name: main, id: "55501", nick: taobao001}]
---
apiVersion: cairn.dev/v1alpha1
kind: PushSubscription
metadata: {name: orders, namespace: seller-2099}
spec: {databaseRef: {name: db}, databaseName: shop, shops: ["55501"], datasets: [trades]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The worked example of the documentation."""
    found = tmp_path / "example.yaml"
    found.write_text(EXAMPLE, encoding="utf-8")
    return found


def said(capsys: pytest.CaptureFixture[str], *args: str | Path, code: int = 0) -> tuple[str, str]:
    assert main([str(arg) for arg in args]) == code
    out, err = capsys.readouterr()
    return out, err


def test_worked_example_of_the_documentation_is_what_comes_out(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "cost", "--month", "2026-11", file) == (TABLE, "")


def test_numbers_that_the_documentation_works_out_are_those_of_its_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    steps = [-(-20 * step // 6) for step in range(1, 7)]
    assert f"{', '.join(map(str, steps[:-1]))} and {steps[-1]} clones" in text
    assert f"{sum(steps)} hours of clones" in text
    assert sum(steps) + 40 * 20 == 872
    assert "895.00  1863.00" in TABLE
    assert 46 * Fraction("0.5") + 872 == 895
    assert 46 * Fraction("0.5") + 46 * 40 == 1863


def test_month_without_the_promotion_costs_the_plans_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capsys, "cost", "--month", "2026-12", "-o", "json", file)
    found = json.loads(out)
    assert found["total"] == {"month": "705.00", "load": "0.00", "promotions": "0.00", "promotionsAtMost": "0.00"}
    assert (found["month"], found["daysAhead"], found["currency"]) == ("2026-12", 0, "CNY")


def test_totals_are_per_seller_and_of_all(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(EXAMPLE + OTHER)
    out, _ = said(capsys, "cost", "--month", "2026-11", "-o", "json", file)
    found = json.loads(out)
    assert [(one["seller"], one["namespace"], one["month"], one["promotions"]) for one in found["namespaces"]] == [
        ("acme", "seller-2088", "705.00", "964.00"),
        ("bolt", "seller-2099", "100.00", "0.00"),
    ]
    assert found["total"]["month"] == "805.00"
    default = next(one for one in found["resources"] if one["kind"] == "PushSubscription")
    assert (default["plan"], default["month"]) == (None, "0.00")
    text, _ = said(capsys, "cost", "--month", "2026-11", file)
    assert re.search(r"^total +805\.00 +- +964\.00 +1932\.00$", text, re.MULTILINE)


def test_namespace_leaves_the_others_out(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(EXAMPLE + OTHER)
    out, _ = said(capsys, "cost", "-n", "seller-2099", "-o", "json", file)
    assert {one["namespace"] for one in json.loads(out)["resources"]} == {"seller-2099"}


def test_unknown_namespace_is_wrong_usage_and_says_which_there_are(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = said(capsys, "cost", "-n", "seller-2089", file, code=2)
    assert err == (
        "cairn cost: -n seller-2089: no Seller has this namespace and nothing is in it: write one of seller-2088\n"
    )


@pytest.mark.parametrize("month", ["2026-13", "11", "November", ""])
def test_unknown_month_is_wrong_usage_and_says_what_to_write(
    month: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["cost", "--month", month, str(file)])
    assert caught.value.code == 2
    assert "is no month: write year and month, such as 2026-11" in capsys.readouterr().err


def test_neither_files_nor_a_cluster_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CAIRN_KUBECONFIG", raising=False)
    _, err = said(capsys, "cost", code=2)
    assert err == "cairn cost: name FILES, or the cluster with --kubeconfig FILE or CAIRN_KUBECONFIG\n"


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        pytest.param(
            "{name: vm.medium}\n  image",
            "{name: vm.gone}\n  image",
            "SellerVM seller-2088/shop: ServicePlan vm.gone is not among these files: its price is in no sum; add its",
            id="missing-plan",
        ),
        pytest.param(
            "promotions: [{name: double-11, planRef: {name: db.xlarge}}]",
            "promotions: [{name: double-12}]",
            "SellerRDS seller-2088/shop-db: Promotion double-12 is not among these files: it is in no sum;",
            id="missing-promotion",
        ),
    ],
)
def test_what_has_no_known_price_is_named_and_the_rest_priced(
    before: str, after: str, problem: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert before in EXAMPLE
    file.write_text(EXAMPLE.replace(before, after))
    out, err = said(capsys, "cost", "--month", "2026-11", file, code=1)
    assert err.startswith(problem)
    assert "85.00" in out


def test_files_that_are_wrong_by_themselves_are_not_priced(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(EXAMPLE.replace('monthly: "100"', "monthly: 100"))
    out, err = said(capsys, "cost", file, code=1)
    assert out == ""
    assert "spec.prices[0].monthly" in err
    assert said(capsys, "cost", file.parent / "none.yaml", code=2)[1].startswith("cairn cost: ")


def test_currency_is_the_platforms(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = file.parent / "settings"
    settings.write_text("currency: EUR\n")
    out, _ = said(capsys, "cost", "--config", settings, "-o", "json", file)
    assert json.loads(out)["currency"] == "EUR"
    assert said(capsys, "render", "--cost", "--config", settings, file)[0].count("All in EUR") == 1


def test_render_cost_is_a_quote_at_a_time(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CAIRN_KUBECONFIG", raising=False)
    quoted, err = said(capsys, "render", "--cost", "--at", "2026-10-01", file)
    assert err == ""
    assert re.search(r"SellerVM +shop +vm\.medium +255\.00 +- +895\.00 +1863\.00", quoted)
    assert "of this calendar month and of those to come within 90 days" in quoted
    over, _ = said(capsys, "render", "--cost", "--at", "2026-12-01", file)
    assert re.search(r"SellerVM +shop +vm\.medium +255\.00 +- +- +-", over)


def test_render_cost_without_the_plan_says_so(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CAIRN_KUBECONFIG", raising=False)
    file.write_text(OTHER)
    _, err = said(capsys, "render", "--cost", file, code=1)
    assert err.startswith("Seller bolt: ServicePlan seller.standard is not among these files")
