# SPDX-License-Identifier: Apache-2.0
"""New logins for the Secrets of a standing bus, on a real API server."""

from __future__ import annotations

import base64
import io
import os
import subprocess

import pytest

from cairn.bus.credentials import Creds
from cairn.bus.nkeys import KeyPair
from cairn.cli.main import main
from cluster.caller import Caller
from devcluster import ControlPlane, StepError

NAMESPACE = "bus-users"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"


def data_of(admin: Caller, name: str) -> dict[str, str]:
    found = admin.get(f"{SECRETS}/{name}").body["data"]
    return {key: base64.b64decode(value).decode() for key, value in found.items()}


def test_bus_users_changes_the_logins_alone_and_init_is_refused(
    control_plane: ControlPlane, admin: Caller, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    control_plane.kubectl("create", "namespace", NAMESPACE)
    assert main(["bus", "init", "--namespace", NAMESPACE]) == 0
    # made by apply, as earlier documentation had it: what an apply has set, a later one without it takes away
    control_plane.kubectl("apply", "-f", "-", input=capsys.readouterr().out)
    account, gateway = data_of(admin, "cairn-bus-account"), data_of(admin, "cairn-gateway")

    monkeypatch.setattr("sys.stdin", io.StringIO(account["account.seed"]))
    assert main(["bus", "users", "--account-seed", "-", "--namespace", NAMESPACE]) == 0
    found = {
        "PATH": f"{control_plane.kubectl_path.parent}:{os.environ['PATH']}",
        "KUBECONFIG": str(control_plane.kubeconfig),
    }
    script = capsys.readouterr().out
    subprocess.run(["sh"], input=script, env=os.environ | found, text=True, timeout=60, check=True)

    for before, name, changed in (
        (account, "cairn-bus-account", "admin.creds"),
        (gateway, "cairn-gateway", "user.creds"),
    ):
        after = data_of(admin, name)
        assert {key for key in before if before[key] != after.get(key)} == {changed}
        assert after.keys() == before.keys()
        assert Creds.parse(after[changed]).claims()["iss"] == KeyPair.from_seed(account["account.seed"]).public

    standing = {name: data_of(admin, name) for name in ("cairn-bus", "cairn-bus-account", "cairn-gateway")}
    assert main(["bus", "init", "--namespace", NAMESPACE]) == 0
    with pytest.raises(StepError, match="already exists"):
        control_plane.kubectl("create", "-f", "-", input=capsys.readouterr().out)
    assert {name: data_of(admin, name) for name in standing} == standing
