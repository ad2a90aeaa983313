# SPDX-License-Identifier: Apache-2.0
"""Plans of a PushSubscription whose database is MySQL or MariaDB."""

from __future__ import annotations

import json
from typing import Any

from cairn.api.conditions import Reason
from cairn.api.resources import Obj
from cairn.push import names
from unit.push.test_plan import CA, NAMESPACE, child, credentials, facts, plan, push, rds, secret, seen, shown, without

LOGIN = names.login(NAMESPACE, "orders", 32)
EXTERNAL = {"host": "db.example.com", "adminSecretRef": {"name": "them"}, "caSecretRef": {"name": "authority"}}


def server(databases: tuple[str, ...] = (), **status: Any) -> Obj:
    stands = rds()["status"] | {"endpoint": {"host": "db.example.com", "port": 3306}, "databases": list(databases)}
    if not databases:
        stands["secrets"] = {"admin": "them"}
    listed = [{"name": name} for name in databases]
    fields: dict[str, Any] = {
        "engine": "mysql",
        "version": "8.4",
        "planRef": None,
        "external": EXTERNAL,
        "databases": listed,
    }
    return rds(status=stands | status, **fields)


def unnamed() -> Obj:
    obj = push()
    del obj["spec"]["databaseName"]
    return obj


def refs(live: Obj) -> tuple[Obj, ...]:
    return (*without("SellerRDS"), live, secret("authority", ca_crt=CA))


def test_push_into_mysql_names_no_database() -> None:
    got = plan(push(), seen(credentials(), refs=refs(server(("shop",)))))
    assert shown(got)[:2] == [("Ready", False, Reason.INVALID_SPEC), ("Stalled", True, Reason.INVALID_SPEC)]
    for text in ("spec.databaseName: shop ", "SellerRDS shop-db", "sys_info", "without databaseName"):
        assert text in got.conditions[0].message
    assert got.children == ()


def test_push_into_postgresql_names_its_database() -> None:
    got = plan(unnamed(), seen(credentials()))
    assert shown(got)[:2] == [("Ready", False, Reason.INVALID_SPEC), ("Stalled", True, Reason.INVALID_SPEC)]
    assert "spec.databaseName is missing: SellerRDS shop-db is PostgreSQL and has the databases shop" in (
        got.conditions[0].message
    )


def test_worker_for_mysql_is_told_engine_and_port_and_checks_the_server_by_the_given_authority() -> None:
    got = plan(unnamed(), seen(credentials(username=LOGIN), refs=refs(server())))
    settings = json.loads(child(got, "ConfigMap")["data"]["worker.json"])
    assert settings["database"] == {
        "engine": "mysql",
        "host": "db.example.com",
        "port": 3306,
        "database": "sys_info",
        "usernameFile": "/etc/cairn/secret/username",
        "passwordFile": "/etc/cairn/secret/password",
        "caFile": "/etc/cairn/secret/ca.crt",
        "verifyHost": False,
    }
    assert child(got, "NetworkPolicy")["spec"]["egress"][1]["ports"] == [{"protocol": "TCP", "port": 3306}]
    assert child(got, "Deployment")


def test_credentials_for_mysql_are_made_with_a_login_that_fits_and_the_given_authority() -> None:
    (mint,) = plan(unnamed(), seen(refs=refs(server()))).actions
    assert (mint.args["login"], mint.args["authority"]) == (LOGIN, "authority")
    stale = credentials(username=LOGIN, ca_crt="another")
    assert [one.name for one in plan(unnamed(), seen(stale, refs=refs(server()))).actions] == ["mint"]


def test_readers_of_every_database_read_what_is_pushed_into_mysql() -> None:
    found = facts(database={"granted": False})
    databases = ("shop", "erp")
    owners = (secret("shop-db-owner", ca_crt=CA), *refs(server(databases)))
    got = plan(unnamed(), seen(credentials(username=LOGIN), refs=owners, found=found))
    (schema,) = (action for action in got.actions if action.name == "schema")
    assert schema.args["readers"] == ["shop_reader", "erp_reader"]
