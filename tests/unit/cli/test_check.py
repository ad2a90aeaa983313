# SPDX-License-Identifier: Apache-2.0
"""`cairn check`, as a pipeline calls it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from cairn.cli.check import check
from cairn.cli.loader import parse
from cairn.cli.main import main
from objects.cases import HERE

SELLER = """apiVersion: cairn.dev/v1alpha1
kind: Seller
metadata: {name: acme}
spec:
  id: "2088"
  namespace: seller-2088
  shops:
  - {name: main, id: "55501", nick: taobao001}
  planRef: {name: seller.standard}
---
apiVersion: cairn.dev/v1alpha1
kind: ServicePlan
metadata: {name: seller.standard}
spec:
  for: Seller
  size: {cpu: "8", memory: 32Gi, storage: 500Gi}
"""
DATABASE = """apiVersion: cairn.dev/v1alpha1
kind: SellerRDS
metadata: {name: shop-db, namespace: seller-2088}
spec:
  version: "17"
  resources: {cpu: "1", memory: 2Gi}
  storage: {size: 20Gi}
  databases: [{name: shop}]
"""
PUSH = """apiVersion: cairn.dev/v1alpha1
kind: PushSubscription
metadata: {name: orders, namespace: seller-2088}
spec:
  databaseRef: {name: shop-db}
  databaseName: shop
  shops:
  - "55501"
"""
ALL = "---\n".join((SELLER, DATABASE, PUSH))


def remarks(text: str, old: str = "") -> list[str]:
    return [str(remark) for remark in check(parse(text, "f.yaml"), parse(old, "old.yaml"))]


def test_check_objects_that_fit_together_says_nothing() -> None:
    assert remarks(ALL) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            "for: Seller", "for: PushSubscription\n  deprecated: 1",
            ["f.yaml:16: spec.deprecated: 1 must be of type boolean (Refuse new users; those who have it keep it.)"],
            id="broken-plan-is-there-and-not-compared",
        ),
        pytest.param(
            "planRef: {name: seller.standard}", "planRef: {name: seller.large}",
            ["f.yaml:9: note: spec.planRef: ServicePlan seller.large is not among these files"],
            id="missing-plan-is-a-note",
        ),
        pytest.param(
            "resources: {cpu: \"1\", memory: 2Gi}", "planRef: {name: seller.standard}",
            [("f.yaml:23: spec.planRef: ServicePlan seller.standard is for Seller, not for SellerRDS: choose a plan for"
              " SellerRDS")],
            id="plan-of-another-kind",
        ),
        pytest.param(
            '- "55501"', '- "55501"\n  - "666"',
            ["f.yaml:35: spec.shops: 666 is no shop of Seller acme, whose namespace this is: remove it"],
            id="not-your-shop",
        ),
        pytest.param(
            "databaseName: shop", "databaseName: erp",
            [("f.yaml:32: spec.databaseName: erp is not among spec.databases of SellerRDS shop-db (shop): add it there,"
              " or name one of them")],
            id="database-not-declared",
        ),
        pytest.param(
            "databaseName: shop", "databaseName: shop\n  datasets: [trades, orders]",
            ["f.yaml:33: spec.datasets: orders is unknown: there are items, members, refunds, trades"],
            id="unknown-dataset",
        ),
        pytest.param(
            "name: shop-db, namespace: seller-2088", "name: shop-db, namespace: elsewhere",
            ["f.yaml:31: note: spec.databaseRef: SellerRDS shop-db is not among these files in the same namespace"],
            id="references-stay-in-their-namespace",
        ),
    ],
)  # fmt: skip
def test_check_references_between_files_are_judged_where_certain(before: str, after: str, expected: list[str]) -> None:
    assert before in ALL
    assert remarks(ALL.replace(before, after)) == expected


ONE_WINDOW = """apiVersion: cairn.dev/v1alpha1
kind: Promotion
metadata: {name: double-11}
spec:
  timeZone: Asia/Shanghai
  windows: [{name: main, start: "2026-11-10T20:00:00", duration: 28h}]
"""


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("28h", "0h", 'spec.windows[0].duration: "0h" must be a number above 0 and one of s, m, h, d',
                     id="zero-length"),
        pytest.param("20:00:00", "20:00:00+08:00", "must be day and time as the clocks show it, such as", id="offset"),
        pytest.param("duration: 28h", "duration: 28h, until: 3",
                     "unknown field: remove it; there are name, start, duration", id="unknown-among-few"),
        pytest.param('windows: [{name: main, start: "2026-11-10T20:00:00", duration: 28h}]',
                     'recurrence: {rule: FREQ=HOURLY, start: "2026-11-10T20:00:00", duration: 28h}',
                     "must be a rule that begins with FREQ=YEARLY, MONTHLY,", id="rule"),
    ],
)  # fmt: skip
def test_check_a_wrong_form_is_said_in_words(before: str, after: str, expected: str) -> None:
    found = remarks(ONE_WINDOW.replace(before, after))
    assert expected in found[0]
    assert "must match" not in found[0]


def test_check_a_name_where_a_reference_belongs_says_how_to_write_it() -> None:
    (remark,) = remarks(SELLER.replace("planRef: {name: seller.standard}", "planRef: seller.standard"))
    assert "must be of type object: write {name: seller.standard} (" in remark


def test_check_a_promotion_with_an_error_is_not_said_to_be_missing() -> None:
    database = DATABASE + "  promotions: [{name: double-11}]\n"
    (remark,) = remarks(ONE_WINDOW.replace("28h", "0h") + "---\n" + database)
    assert "spec.windows[0].duration" in remark


def test_check_the_same_object_twice_is_an_error() -> None:
    assert remarks(DATABASE + "---\n" + DATABASE) == ["f.yaml:12: the same object stands at f.yaml:1: remove one"]


def test_check_two_sellers_share_no_id_namespace_or_shop() -> None:
    other = SELLER.split("---")[0].replace("name: acme", "name: other")
    assert [line.split(": ", 1)[1] for line in remarks(SELLER + "---\n" + other)] == [
        "spec.id: 2088 belongs to Seller acme already: each has one owner",
        "spec.namespace: seller-2088 belongs to Seller acme already: each has one owner",
        "spec.shops: 55501 belongs to Seller acme already: each has one owner",
    ]


def test_check_with_old_manifests_judges_the_change() -> None:
    (remark,) = remarks(DATABASE.replace("20Gi", "19Gi"), old=DATABASE)
    assert remark.startswith("f.yaml:7: spec.storage.size can't shrink from 20Gi to 19Gi")
    assert remarks(DATABASE.replace("20Gi", "19Gi")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("apiVersion: cairn.dev/v1\nkind: Seller\n", "use cairn.dev/v1alpha1", id="version"),
        pytest.param("apiVersion: cairn.dev/v1alpha1\nkind: SellerRds\n", "did you mean SellerRDS?", id="kind"),
        pytest.param("apiVersion: cairn.dev/v1alpha1\nkind: Xyz\n", "there are Seller,", id="kind-like-none"),
        pytest.param("metadata: {name: x}\n", "no manifest", id="no-kind"),
        pytest.param(
            "apiVersion: cairn.dev/v1alpha1\nkind: Seller\nmetadata: 5\nspec: {}\n",
            "metadata is missing",
            id="metadata",
        ),
    ],
)
def test_check_what_is_no_object_of_ours_is_an_error(text: str, message: str) -> None:
    assert message in remarks(text)[0]


def test_main_check_good_files_exits_0_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "all.yaml").write_text(ALL + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: x}\n")
    assert main(["check", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "4 objects checked, 1 of other kinds ignored, 0 errors\n"


def test_main_check_of_a_directory_leaves_out_what_is_no_manifest_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "all.yaml").write_text(ALL)
    (tmp_path / "values.yaml").write_text("databases: {}\n")
    assert main(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().err == "4 objects checked, 1 of other kinds ignored, 0 errors\n"
    assert main(["check", str(tmp_path / "values.yaml")]) == 1
    assert "values.yaml:1: no manifest" in capsys.readouterr().out


def test_main_check_errors_exits_1_with_file_and_line(capsys: pytest.CaptureFixture[str]) -> None:
    file = HERE / "schema" / "unknown-field.yaml"
    assert main(["check", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}:7: spec.storge: unknown field, did you mean storage?\n"


def test_main_check_of_stdin_that_is_no_yaml_exits_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("kind: [\n"))
    assert main(["check", "-"]) == 1
    assert capsys.readouterr().out.startswith("<stdin>:2: no YAML")


def test_main_check_as_json_is_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    file = str(HERE / "rules" / "seller" / "namespace-reserved.refuse.yaml")
    assert main(["check", "-o", "json", file]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["checked"] == 1
    assert [remark["level"] for remark in result["remarks"]] == ["error"]
    assert result["remarks"][0]["file"] == file


def test_main_check_wrong_usage_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "missing.yaml")]) == 2
    assert "missing.yaml" in capsys.readouterr().err
    assert main(["check"]) == 2
    assert "name files" in capsys.readouterr().err


def test_main_check_against_old_manifests_that_can_not_be_read_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.yaml").write_text(DATABASE)
    (tmp_path / "old.yaml").write_text("kind: [\n")
    assert main(["check", "--old", str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml")]) == 1
    assert "old.yaml:2: no YAML" in capsys.readouterr().out


def test_check_a_generated_name_is_judged_as_the_server_will_make_it() -> None:
    assert remarks(DATABASE.replace("name: shop-db", "generateName: shop-db-", 1)) == []
    (remark,) = remarks(DATABASE.replace("name: shop-db", f"generateName: {'a' * 36}", 1))
    assert "more than 40 characters" in remark


def test_check_a_namespace_that_is_a_number_is_an_error() -> None:
    (remark,) = remarks(DATABASE.replace("namespace: seller-2088", "namespace: 2088", 1))
    assert "metadata.namespace: 2088 must be a string" in remark


def test_check_of_nothing_is_not_taken_for_all_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path)]) == 2
    assert "no object in" in capsys.readouterr().err


PROMOTION = """apiVersion: cairn.dev/v1alpha1
kind: Promotion
metadata: {name: double-11}
spec:
  timeZone: Asia/Shanghai
  windows:
  - {name: eve, start: "2026-11-10T20:00:00", duration: 4h}
  - name: main
    start: "2026-11-11T00:00:00"
    duration: 24h
"""
MACHINE = """apiVersion: cairn.dev/v1alpha1
kind: SellerVM
metadata: {name: web, namespace: seller-2088}
spec:
  resources: {cpu: "1", memory: 2Gi}
  image: {name: debian-13}
  disk: {size: 20Gi}
  maintenance:
    timeZone: Asia/Shanghai
    windows: [{name: night, days: [Sun], start: "03:00", duration: 2h}]
  snapshots:
    schedule: "0 3 * * *"
    keep: {last: 7}
  promotions:
  - name: double-11
    replicas: {min: 1, max: 2}
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('start: "2026-11-11T', 'start: "2026-11-31T', 9, "spec.windows[main].start 2026-11-31T00:00:00: there is no"),
        (
            "Asia/Shanghai",
            "Asia/Shanghi",
            5,
            "spec.timeZone: there is no time zone Asia/Shanghi: did you mean",
        ),
        ("duration: 24h", "duration: 999d", 10, "spec.windows[main].duration 999d is longer than 366d: shorten it"),
    ],
)
def test_check_promotion_that_makes_no_sense_is_named_with_its_line(old: str, new: str, line: int, said: str) -> None:
    (found,) = remarks(PROMOTION.replace(old, new))
    assert found.startswith(f"f.yaml:{line}: {said}")


def test_check_recurrence_that_never_occurs_is_an_error() -> None:
    head = PROMOTION[: PROMOTION.index("  windows")]
    rule = '  recurrence: {rule: FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30, start: "2026-01-01T00:00", duration: 1h}\n'
    (found,) = remarks(head + rule)
    assert found.startswith("f.yaml:6: spec.recurrence.rule FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30: never occurs")


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("timeZone: Asia/Shanghai", "timeZone: Asia/Shanghi", 9, "spec.maintenance.timeZone: there is no time zone"),
        ('"0 3 * * *"', '"0 3 30 2 *"', 12, 'spec.snapshots.schedule "0 3 30 2 *": bad day-of-month'),
        (
            "keep: {last: 7}",
            "keep: {last: 7}\n    timeZone: Nowhere",
            14,
            "spec.snapshots.timeZone: there is no time zone",
        ),
    ],
)
def test_check_schedules_of_a_machine_that_never_come_are_errors(old: str, new: str, line: int, said: str) -> None:
    (found,) = [remark for remark in remarks(MACHINE.replace(old, new)) if "note" not in remark]
    assert found.startswith(f"f.yaml:{line}: {said}")


def test_check_promotions_that_a_machine_names_are_looked_for() -> None:
    assert remarks(PROMOTION + "---\n" + MACHINE) == []
    (found,) = remarks(MACHINE)
    assert found == "f.yaml:15: note: spec.promotions[double-11]: Promotion double-11 is not among these files"


def test_check_plan_of_another_kind_in_a_promotion_is_an_error() -> None:
    database = DATABASE.replace('resources: {cpu: "1", memory: 2Gi}', "planRef: {name: db.small}")
    database += "  promotions:\n  - name: double-11\n    planRef: {name: seller.standard}\n"
    found = [remark for remark in remarks("---\n".join((PROMOTION, SELLER, database))) if "note" not in remark]
    assert len(found) == 1
    assert (
        "spec.promotions[double-11].planRef: ServicePlan seller.standard is for Seller, not for SellerRDS" in found[0]
    )


def test_check_host_that_the_seller_does_not_own_is_an_error() -> None:
    machine = """apiVersion: cairn.dev/v1alpha1
kind: SellerVM
metadata: {name: web, namespace: seller-2088}
spec:
  resources: {cpu: "1", memory: 2Gi}
  disk: {size: 20Gi}
  image: {name: debian-12}
  ports: [{name: web, port: 80}]
  expose: {host: shop.example.com, port: web}
"""
    (found,) = remarks(f"{SELLER}---\n{machine}")
    assert "shop.example.com is no host of Seller acme" in found
    owned = SELLER.replace("  planRef:", "  hosts: [shop.example.com]\n  planRef:", 1)
    assert remarks(f"{owned}---\n{machine}") == []


def test_check_of_the_example_operations_beside_what_they_are_done_to_finds_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    examples = Path(__file__).resolve().parents[3] / "examples"
    assert main(["check", str(examples / "first-order"), str(examples / "operations")]) == 0, capsys.readouterr()
    assert "10 objects checked" in capsys.readouterr().err
