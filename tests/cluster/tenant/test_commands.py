# SPDX-License-Identifier: Apache-2.0
"""`cairn grants` and `cairn audit-log` against a real API server and the database behind it."""

from __future__ import annotations

import asyncio
import json

import pytest

from cairn.cli.main import main
from cluster.tenant.estate import Estate, grant
from devcluster import ControlPlane


async def cairn(plane: ControlPlane, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = await asyncio.to_thread(main, [*args, "--kubeconfig", str(plane.kubeconfig)])
    said = capsys.readouterr()
    return code, said.out, said.err


async def test_grants_shows_what_the_operator_settled(
    estate: Estate, tenant_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    code, out, err = await cairn(tenant_plane, capsys, "grants", "-n", estate.namespace, "-o", "json")
    assert code == 0, err
    (found,) = json.loads(out)
    assert found["apps"]["erp-bolt"]["effectiveHash"] == (await estate.app_status("erp-bolt"))["effectiveHash"]
    assert {line["column"]: line["effective"] for line in found["columns"]} == {
        "tid": "plain",
        "title": "plain",
        "nick": "partial",
    }


async def test_audit_log_tells_of_grant_and_revoke_and_of_a_row_that_was_changed(
    estate: Estate, tenant_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    await estate.served("erp-bolt", grants=[grant("erp-bolt")])
    await estate.tenant(grants=[])
    await estate.settle()
    command = ("audit-log", "-n", estate.namespace, "main")
    code, out, err = await cairn(tenant_plane, capsys, *command)
    assert code == 0, err
    actions = [line.split()[2] for line in out.splitlines()[1:] if line[0].isdigit()]
    assert "grant" in actions
    assert "revoke" in actions
    assert estate.data is not None
    held = await estate.secret("erp-bolt")
    assert held is None or held["password"] not in out
    await estate.data.conn.execute("ALTER TABLE audit.log DISABLE TRIGGER USER")
    await estate.data.conn.execute("UPDATE audit.log SET reason = 'nothing' WHERE seq = 2")
    code, _, err = await cairn(tenant_plane, capsys, *command)
    assert (code, "row 2 is not what was written" in err) == (1, True), err


async def test_audit_log_without_a_tenant_says_so(
    estate: Estate, tenant_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = await cairn(tenant_plane, capsys, "audit-log", "-n", estate.namespace, "nobody")
    assert (code, "there is no IntegrationTenant nobody" in err) == (2, True), err
