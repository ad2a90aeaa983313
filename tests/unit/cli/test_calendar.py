# SPDX-License-Identifier: Apache-2.0
"""`cairn calendar`, of manifests: the table and the picture."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cairn.cli.main import main
from cairn.cli.table import table
from unit.cli.test_cost import EXAMPLE, OTHER, said

SPAN = ("--from", "2026-11-10", "--to", "2026-11-14")
SVG = "{http://www.w3.org/2000/svg}"
GOLDEN = Path(__file__).parent.parent / "golden" / "calendar"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "example.yaml"
    found.write_text(EXAMPLE, encoding="utf-8")
    return found


def test_table_lists_every_change_in_the_promotions_zone_and_what_it_costs(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, "calendar", *SPAN, file)
    assert err == ""
    assert out == (GOLDEN / "table.txt").read_text(encoding="utf-8")


def test_promotion_without_a_window_in_the_time_shown_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = said(capsys, "calendar", "--from", "2026-12-01", "--to", "2026-12-02", file)
    assert err == "cairn calendar: Promotion double-11 has no window in this time: see --from and --to\n"


def test_picture_is_the_same_every_time_and_as_checked_in(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = file.parent / "a.svg", file.parent / "b.svg"
    for picture in (first, second):
        said(capsys, "calendar", *SPAN, "--svg", picture, file)
    assert first.read_text(encoding="utf-8") == second.read_text(encoding="utf-8")
    assert first.read_text(encoding="utf-8") == (GOLDEN / "example.svg").read_text(encoding="utf-8")


def test_picture_without_times_shows_what_is_around_the_windows(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    far = EXAMPLE.replace("windows: [", "windows: [{name: far, start: '2099-01-01T00:00:00', duration: 1h}, ")
    file.write_text(far)
    picture = file.parent / "a.svg"
    said(capsys, "calendar", "--svg", picture, file)
    assert ElementTree.parse(picture).getroot().get("width") == "1200"


def test_size_that_a_second_window_only_holds_longer_is_one_row(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    second = "windows: [{name: b, start: '2026-11-11T20:00:00', duration: 12h}, "
    file.write_text(EXAMPLE.replace("windows: [", second))
    out, _ = said(capsys, "calendar", *SPAN, file)
    rows = [line for line in out.splitlines() if "shop-db  db.xlarge" in line]
    assert [row.split("Promotion/double-11")[1] for row in rows] == [
        " (warming up, frozen)",
        " (frozen)",
        " (cooling down)",
    ]


def test_zones_of_the_promotions_taken_part_in_that_differ_are_shown_in_utc(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = EXAMPLE[EXAMPLE.index("apiVersion: cairn.dev/v1alpha1\nkind: Promotion") :].split("---")[0]
    other = other.replace("double-11", "berlin").replace("Asia/Shanghai", "Europe/Berlin")
    file.write_text(f"{EXAMPLE}---\n{other}")
    assert "(Asia/Shanghai)" in said(capsys, "calendar", *SPAN, file)[0]
    both = EXAMPLE.replace("planRef: {name: db.xlarge}}]", "planRef: {name: db.xlarge}}, {name: berlin}]")
    file.write_text(f"{both}---\n{other}")
    out, _ = said(capsys, "calendar", *SPAN, file)
    assert out.startswith("2026-11-10 00:00 to 2026-11-14 00:00 (UTC)")
    assert "2026-11-10 06:00  SellerVM" in out


def test_every_participant_has_a_lane_and_every_window_a_head(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(EXAMPLE + OTHER)
    picture = file.parent / "a.svg"
    said(capsys, "calendar", *SPAN, "--svg", picture, file)
    root = ElementTree.parse(picture).getroot()
    texts = [one.text or "" for one in root.iter(f"{SVG}text")]
    assert [text for text in texts if " in seller-" in text] == [
        "SellerVM in seller-2088",
        "SellerRDS in seller-2088",
        "PushSubscription in seller-2099",
    ]
    assert "11.11: 2026-11-10 20:00 to 2026-11-12 00:00, Asia/Shanghai" in texts
    assert "Promotions on top: 964.00 CNY, 1932.00 CNY if load raises all that it may" in texts


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        pytest.param(
            ["--from", "2026-11-14", "--to", "2026-11-10"],
            "--from 2026-11-14T00:00:00Z is not before --to 2026-11-10T00:00:00Z: exchange them",
            id="backwards",
        ),
        pytest.param(["--from", "2026-11-10", "--to", "2026-11-10"], "is not before --to", id="empty"),
        pytest.param(["--from", "2026-11-10", "--to", "2126-11-10"], "more than ten years apart", id="too-long"),
        pytest.param(["-n", "nobody"], "-n nobody: no Seller has this namespace", id="namespace"),
        pytest.param(["--svg", "/"], "--svg: ", id="not-to-be-written"),
    ],
)
def test_wrong_usage_is_named_with_what_to_write(
    args: list[str], complaint: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, err = said(capsys, "calendar", *args, file, code=2)
    assert complaint in err


def test_neither_files_nor_live_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CAIRN_KUBECONFIG", raising=False)
    assert said(capsys, "calendar", code=2)[1] == "cairn calendar: name FILES, or write --live for the cluster\n"
    assert "--kubeconfig FILE or CAIRN_KUBECONFIG" in said(capsys, "calendar", "--live", code=2)[1]


def test_time_that_is_none_is_wrong_usage(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["calendar", "--from", "tomorrow", str(file)])
    assert caught.value.code == 2
    assert "tomorrow is no time: write 2026-11-11T20:00:00+08:00 or 2026-11-11" in capsys.readouterr().err


def test_table_is_aligned_where_characters_are_wide() -> None:
    lines = table([("双11", "1.00", "x"), ("abc", "10.00", "y")], right=[1]).splitlines()
    assert lines == ["双11   1.00  x", "abc   10.00  y"]
    assert not any(re.search(r" $", line) for line in lines)
