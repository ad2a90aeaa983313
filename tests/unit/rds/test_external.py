# SPDX-License-Identifier: Apache-2.0
"""A SellerRDS for a server that Cairn doesn't run."""

from __future__ import annotations

from typing import Any

import pytest

from cairn.api.conditions import Reason
from cairn.api.crd import BY_KIND
from cairn.api.resources import Obj
from cairn.api.validate import findings
from cairn.engine.kind import Plan
from unit.rds import world
from unit.rds.world import plan, rds, seen


def external(status: Obj | None = None, **changes: Any) -> Obj:
    host = {"host": "db.example.com", "port": 6432, "adminSecretRef": {"name": "them"}, "caSecretRef": {"name": "ca"}}
    return rds(status, planRef=None, external=host | changes)


def theirs(name: str, **data: str) -> Obj:
    secret = world.secret(name, **data)
    secret["metadata"]["labels"] = {}
    return secret


ADMIN = theirs("them", username="root", password="secret-of-them")
CA = theirs("ca", **{"ca.crt": "-----BEGIN CERTIFICATE-----"})
REFS = (world.namespace(), world.seller(), ADMIN, CA)


def named(of: Plan) -> list[str]:
    return [action.name for action in of.actions]


def made() -> tuple[Obj, ...]:
    """The connection Secrets, as the actions make them."""
    got = plan(external(), seen(refs=REFS, found=world.facts()))
    secrets = []
    for action in got.actions:
        args = action.args
        user, database = args["username"], args["database"]
        uri = f"postgresql://{user}:pw@db.example.com:6432/{database}?sslmode=require"
        data = {"type": "postgresql", "provider": "cairn", "host": args["host"], "port": str(args["port"])}
        data |= {"username": user, "password": "pw", "database": database, "uri": uri}
        secrets.append(world.secret(args["secret"], **data, **{"ca.crt": "-----BEGIN CERTIFICATE-----"}))
    return tuple(secrets)


def test_external_that_was_never_reached_mints_nothing() -> None:
    found = {"server": {"error": "DatabaseUnreachable", "message": "no answer"}}
    got = plan(external(), seen(refs=REFS, found=found))
    assert got.actions == ()
    assert got.children == ()
    assert got.conditions[0].reason is Reason.DATABASE_UNREACHABLE
    assert got.next is not None


def test_external_makes_databases_roles_and_secrets_and_no_pod() -> None:
    got = plan(external(), seen(refs=REFS, found=world.facts(databases={}, roles={}, connect=[])))
    assert named(got) == ["mint-login", "mint-login", "database"]
    assert [action.args["secret"] for action in got.actions[:2]] == ["shop-db-owner", "shop-db-reader"]
    assert got.children == ()


@pytest.mark.parametrize(("engine", "version", "port"), [("postgresql", "17", 5432), ("mysql", "8.4", 3306)])
def test_port_that_is_not_named_is_the_engines_own(engine: str, version: str, port: int) -> None:
    obj = external()
    obj["spec"] |= {"engine": engine, "version": version}
    del obj["spec"]["external"]["port"]
    got = plan(obj, seen(refs=REFS, found=world.facts(databases={}, roles={}, connect=[])))
    assert got.status["endpoint"]["port"] == port
    assert {action.args["port"] for action in got.actions if action.name == "mint-login"} == {port}


def test_external_that_stands_is_ready() -> None:
    got = plan(external(), seen(*made(), refs=REFS, found=world.facts()))
    assert [entry.reason for entry in got.conditions] == [Reason.READY]
    assert got.actions == ()
    assert got.status["endpoint"] == {"host": "db.example.com", "port": 6432}
    assert got.status["secrets"] == {"admin": "them", "owner": "shop-db-owner", "reader": "shop-db-reader"}


@pytest.mark.parametrize(
    ("refs", "reason", "text"),
    [
        pytest.param((CA,), Reason.SECRET_NOT_FOUND, "Secret them does not exist", id="no-admin"),
        pytest.param((theirs("them", username="a"), CA), Reason.SECRET_NOT_FOUND, "no password", id="no-password"),
        pytest.param((ADMIN,), Reason.SECRET_NOT_FOUND, "spec.external.caSecretRef", id="no-ca"),
        pytest.param(
            (world.secret("them", username="a", password="b"), CA), Reason.INVALID_SPEC, "Cairn's own", id="cairns-own"
        ),
    ],
)
def test_external_whose_secrets_do_not_do_says_which(refs: tuple[Obj, ...], reason: Reason, text: str) -> None:
    got = plan(external(), seen(refs=(world.namespace(), world.seller(), *refs)))
    assert got.conditions[0].reason is reason
    assert text in got.conditions[0].message
    assert got.actions == ()


def test_external_behind_whose_name_another_server_answers_says_so() -> None:
    known = external({"systemIdentifier": "1"})
    got = plan(known, seen(*made(), refs=REFS, found=world.facts()))
    assert got.conditions[0].reason is Reason.IDENTITY_MISMATCH
    assert got.actions == ()


def test_external_finds_secrets_of_an_earlier_one_and_waits_to_be_told() -> None:
    left = [world.secret("shop-db-owner", uid="uid-0", password="pw")]
    assert plan(external(), seen(*left, refs=REFS)).conditions[0].reason is Reason.DATA_EXISTS
    adopting = external() | {"spec": external()["spec"] | {"adopt": True}}
    assert plan(adopting, seen(*left, refs=REFS)).conditions[0].reason is not Reason.DATA_EXISTS
    written = {key: value for key, value in adopting.items() if key != "status"}
    written["metadata"] = {key: written["metadata"][key] for key in ("name", "namespace")}
    assert findings(BY_KIND["SellerRDS"].schema(), written) == [], "the remedy that the condition names is allowed"
