# SPDX-License-Identifier: Apache-2.0
"""`cairn render`: what would be made, without a cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cairn.api.resources import Obj
from cairn.cli.loader import parse
from cairn.cli.main import main
from unit.cli.test_check import DATABASE, PUSH, SELLER
from unit.cli.test_main import WITH_CAIRN

PRICED = SELLER.replace(
    "500Gi}\n",
    '500Gi}\n  prices:\n  - {name: "2026", from: 2026-01-01, monthly: "100.00"}\n'
    '  - {name: "2027", from: 2027-01-01, monthly: "120.00"}\n',
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "seller.yaml").write_text(PRICED)
    (tmp_path / "database.yaml").write_text(DATABASE)
    (tmp_path / "push.yaml").write_text(PUSH)
    return tmp_path


def rendered(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> tuple[str, str]:
    assert main(["render", *args]) == code
    out, err = capsys.readouterr()
    return out, err


def objects(text: str) -> dict[str, Obj]:
    return {f"{o['kind']} {o['metadata']['name']}": o for o in (document.obj for document in parse(text))}


def test_render_of_a_sellers_cloud_shows_every_child_that_stands_in_the_end(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = rendered(capsys, str(files))
    assert err == ""
    assert {"Namespace seller-2088", "RoleBinding cairn-operator", "ResourceQuota cairn"} <= set(objects(out))
    assert {"Deployment orders-push", "ConfigMap orders-push", "NetworkPolicy orders-push"} <= set(objects(out))
    assert {"StatefulSet shop-db", "PersistentVolumeClaim shop-db-data", "Service shop-db"} <= set(objects(out))


def test_render_of_a_machine_takes_the_platforms_image_as_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = """apiVersion: cairn.dev/v1alpha1
kind: SellerVM
metadata: {name: web, namespace: seller-2088}
spec:
  resources: {cpu: "1", memory: 2Gi}
  disk: {size: 20Gi}
  image: {name: debian-12}
  ports: [{name: web, port: 80}]
"""
    (tmp_path / "all.yaml").write_text(f"{SELLER}---\n{machine}")
    out, err = rendered(capsys, str(tmp_path))
    assert err == ""
    assert {"DataVolume web-disk", "VirtualMachine web", "Service web", "NetworkPolicy web"} <= set(objects(out))


def test_render_marks_children_as_the_engine_does(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(rendered(capsys, str(files))[0])
    service, claim = found["Service shop-db"]["metadata"], found["PersistentVolumeClaim shop-db-data"]["metadata"]
    assert service["labels"]["cairn.dev/owner-name"] == "shop-db"
    assert service["ownerReferences"][0]["name"] == "shop-db"
    assert "ownerReferences" not in claim
    assert claim["labels"]["cairn.dev/retain"] == "true"


def test_render_names_secrets_and_their_keys_and_shows_no_value(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = rendered(capsys, str(files))
    assert "# Secret seller-2088/shop-db-owner: minted, with ca.crt, database, host, password," in out
    assert (
        "# Secret seller-2088/orders-push: minted, with account, ca.crt, password, rights, user.creds, username" in out
    )
    assert "# done by the operator itself: schema, consumer" in out
    assert not [key for key in objects(out) if key.startswith("Secret ")]
    assert "BEGIN" not in out


def test_render_twice_is_the_same_text(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert rendered(capsys, str(files)) == rendered(capsys, str(files))


@pytest.mark.parametrize(
    ("at", "line"),
    [
        pytest.param("2026-12-31T23:59:59Z", "# costs 100.00 CNY a month", id="old-price"),
        pytest.param("2027-01-01", "# costs 120.00 CNY a month", id="new-price"),
    ],
)
def test_render_at_a_time_shows_what_holds_then(
    files: Path, capsys: pytest.CaptureFixture[str], at: str, line: str
) -> None:
    assert line in rendered(capsys, str(files), "--at", at)[0].splitlines()


def test_render_with_settings_uses_them(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = files / "platform.txt"
    config.write_text("currency: EUR\nimages: {postgresql: 'example.com/pg:{version}'}\n")
    out, _ = rendered(capsys, str(files), "--config", str(config))
    assert "100.00 EUR" in out
    assert "image: example.com/pg:17" in out


def test_render_of_a_database_without_its_seller_says_what_is_missing(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = rendered(capsys, str(files / "database.yaml"), code=1)
    assert objects(out) == {}
    assert err.startswith("SellerRDS seller-2088/shop-db: NotASellerNamespace: namespace seller-2088")


def test_render_of_wrong_manifests_says_what_check_says(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "database.yaml").write_text(DATABASE.replace("20Gi", "20GB"))
    out, err = rendered(capsys, str(files), code=1)
    assert out == ""
    assert err.startswith(f'{files}/database.yaml:7: spec.storage.size: "20GB" must be a quantity of Kubernetes')


def test_render_of_a_suspended_object_makes_nothing(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "database.yaml").write_text(DATABASE + "  suspend: true\n")
    out, err = rendered(capsys, str(files / "seller.yaml"), str(files / "database.yaml"))
    assert "StatefulSet shop-db" not in objects(out)
    assert err == "SellerRDS seller-2088/shop-db: spec.suspend is true: nothing is changed\n"


def test_render_at_what_is_no_time_is_wrong_usage(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["render", "--at", "tomorrow", str(files)])
    assert caught.value.code == 2
    assert "tomorrow is no time: write 2026-11-11T20:00:00+08:00" in capsys.readouterr().err


def test_render_imports_no_client_of_a_cluster(files: Path) -> None:
    program = "import sys; from cairn.cli.main import main; main(['render', sys.argv[1]]); print(*sys.modules)"
    command = [sys.executable, "-c", program, str(files)]
    done = subprocess.run(command, text=True, capture_output=True, check=True, env=WITH_CAIRN)
    assert not {"kopf", "kubernetes", "aiohttp", "nats"} & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("metadata", ["", "metadata: x\n", "metadata: {generateName: x-}\n", "metadata: {name: [1]}\n"])
def test_render_with_an_object_that_has_no_name_says_where(
    metadata: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "secret.yaml").write_text(f"apiVersion: v1\nkind: Secret\n{metadata}")
    _, err = rendered(capsys, str(files), code=1)
    assert f"{files / 'secret.yaml'}:" in err
    assert "metadata" in err
