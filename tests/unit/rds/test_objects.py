# SPDX-License-Identifier: Apache-2.0
"""The rendering of a server, whole: a change to it is a new revision, since it would make every database wait for a
restart. Where a change is meant, delete the golden file, run the test and read the new one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from cairn.rds import config
from unit.rds import world

GOLDEN = Path(__file__).parent.parent / "golden" / "rds"


@pytest.mark.parametrize("number", range(8))
def test_rendering_1_is_what_it_was(number: int) -> None:
    obj = world.first_children(world.rds(access={"fromNamespaces": ["erp"]})).children[number].obj
    file = GOLDEN / f"{number}-{obj['kind'].lower()}.yaml"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(obj, sort_keys=True, allow_unicode=True), encoding="utf-8")
        pytest.fail(f"{file} was not there and is now: read it")
    assert obj == yaml.safe_load(file.read_text(encoding="utf-8"))


def test_pod_meets_the_restricted_level() -> None:
    pod = world.child(world.first_children(world.rds()), "StatefulSet")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert not pod["automountServiceAccountToken"]
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"])
    assert len({mount["name"] for mount in container["volumeMounts"]}) == len(container["volumeMounts"])


@pytest.mark.parametrize(
    ("memory_mib", "connections", "shared", "work"),
    [
        pytest.param(16, 5, "16MB", "3MB", id="tiny"),
        pytest.param(512, 50, "128MB", "2MB", id="small"),
        pytest.param(16384, 400, "4096MB", "10MB", id="medium"),
        pytest.param(262144, 100, "65536MB", "64MB", id="large"),
    ],
)
def test_parameters_follow_the_size(memory_mib: int, connections: int, shared: str, work: str) -> None:
    got = config.sized(memory_mib << 20, 10 << 30, connections)
    assert (got["shared_buffers"], got["work_mem"]) == (shared, work)
    assert got["max_connections"] == str(connections + config.RESERVED)


def test_start_script_is_sound_shell() -> None:
    script = config.data({})["start.sh"]
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
