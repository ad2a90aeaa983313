# SPDX-License-Identifier: Apache-2.0
"""`cairn audit-log`: where it connects to and as whom, and how rows read. Reading a real log is tested on one."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from cairn.api.database import Database
from cairn.api.sellerrds import SellerRDS
from cairn.cli.audit_log import NoAnswerError, as_json, as_text, target_of
from cairn.cli.main import main

ADMIN = {"data": {key: b64encode(value).decode() for key, value in (("username", b"cairn"), ("password", b"pw"))}}


def database(**external: Any) -> Database:
    spec: dict[str, Any] = {"engine": "postgresql", "version": "17", "databases": [{"name": "shop"}]}
    if external:
        spec["external"] = {"host": "db.example.com", "port": 5433, "adminSecretRef": {"name": "a"}, **external}
    meta = {"name": "shop-db", "namespace": "seller-2088"}
    rds = SellerRDS.model_validate({"metadata": meta, "spec": spec})
    return Database(rds, "shop", "shop-db.seller-2088.svc", 5432, None, ready=True)


def test_certificate_is_held_to_the_servers_name_behind_a_port_forward() -> None:
    target = target_of(database(), ADMIN, b"CA", "127.0.0.1", 15432)
    assert (target.host, target.address, target.port) == ("shop-db.seller-2088.svc", "127.0.0.1", 15432)
    assert (target.ca, target.verify_host, target.user, target.password) == (b"CA", True, "cairn", "pw")
    assert "pw" not in repr(target)


def test_server_that_nothing_vouches_for_is_not_asked() -> None:
    with pytest.raises(NoAnswerError, match=r"no ca\.crt"):
        target_of(database(), ADMIN, b"", None, None)
    with pytest.raises(NoAnswerError, match=r"no ca\.crt"):
        target_of(database(tls="VerifyCA", caSecretRef={"name": "c"}), ADMIN, b"", None, None)


ROW = {
    "seq": 7,
    "at": datetime(2026, 11, 11, tzinfo=UTC),
    "action": "revoke",
    "actor": "seller",
    "tenant": "seller-2088/main",
    "subject": "view sxyz.trades",
    "reason": "grant bolt-fulfilment to erp-bolt ended",
    "contract": "f" * 64,
    "before": ("SELECT", "USAGE"),
    "after": ("USAGE",),
    "prev": "",
    "hash": "",
}


def test_rows_tell_who_what_and_why_with_what_changed_below() -> None:
    head, line, change = as_text([ROW]).splitlines()
    assert head.split() == ["NO", "AT", "ACTION", "SUBJECT", "BY", "WHY"]
    assert line.endswith("grant bolt-fulfilment to erp-bolt ended (contract ffffffffffff)")
    assert change == "    - SELECT"
    assert '"2026-11-11T00:00:00+00:00"' in as_json([ROW])
    assert as_text([]) == "nothing was written"


def test_audit_log_wants_a_cluster(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAIRN_KUBECONFIG", raising=False)
    assert main(["audit-log", "-n", "seller-2088", "main"]) == 2
    assert "--kubeconfig" in capsys.readouterr().err
