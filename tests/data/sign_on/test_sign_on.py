# SPDX-License-Identifier: Apache-2.0
"""One sub-account, two vendors' apps, one sign-on: by a real provider, in a real browser's steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cairn.sql.postgresql import Connection, Target
from cairn_devcluster.oidc import Account, Client, Person, Provider
from data.sign_on.apps import Browser, Mounted, Running, told
from data.sign_on.conftest import SELLER, Bind

LIN = Person("lin", "lin's own", (Account(SELLER, "warehouse-lead", "operator"), Account("77", "boss", "owner")))
STRANGER = Person("wang", "wang's own", (Account("77", "wang", "owner"),))


@dataclass(frozen=True)
class Estate:
    provider: Provider
    crm: Running
    erp: Running
    secret: Mounted

    def write(self, *people: Person) -> None:
        apps = (("crm", self.crm), ("erp", self.erp))
        clients = [Client(f"cairn-{SELLER}-{name}", (f"{app.url}/signed-in",), SELLER) for name, app in apps]
        self.provider.write(people, clients)


@pytest.fixture
def estate(bind: Bind, tmp_path: Path) -> Iterator[Estate]:
    with (
        Provider(tmp_path / "provider") as provider,
        Running("crm.py", tmp_path) as crm,
        Running("erp.py", tmp_path) as erp,
    ):
        secret = bind("crm", provider.issuer)
        estate = Estate(provider, crm, erp, secret)
        estate.write(LIN, STRANGER)
        crm.start(secret, provider.ca)
        erp.start(bind("erp", provider.issuer), provider.ca)
        yield estate


def test_sub_account_signs_in_once_and_both_apps_know_its_role(estate: Estate) -> None:
    with Browser(estate.provider.ca) as browser:
        form = browser.get(estate.crm.url)
        assert browser.asked(form)
        assert str(form.url).startswith(estate.provider.issuer)
        crm = browser.sign_in(form, "lin", "lin's own")
        assert crm.status_code == 200
        assert str(crm.url) == f"{estate.crm.url}/"
        assert "lin, role operator" in crm.text
        assert "138****1234" in crm.text
        erp = browser.get(estate.erp.url)  # no password again
        assert str(erp.url) == f"{estate.erp.url}/"
        assert "lin, role operator" in erp.text
        assert "99.5" in erp.text
        assert "138****1234" not in erp.text


def test_wrong_password_is_no_sign_in(estate: Estate) -> None:
    with Browser(estate.provider.ca) as browser:
        refused = browser.sign_in(browser.get(estate.crm.url), "lin", "wang's own")
        assert refused.status_code == 401
        assert browser.asked(browser.get(estate.crm.url))


def test_person_of_another_seller_is_not_let_in(estate: Estate) -> None:
    with Browser(estate.provider.ca) as browser:
        refused = browser.sign_in(browser.get(estate.crm.url), "wang", "wang's own")
        assert refused.status_code == 403
        assert "no account with this seller" in refused.text


def test_role_that_changed_holds_from_the_next_sign_in(estate: Estate) -> None:
    with Browser(estate.provider.ca) as browser:
        assert browser.sign_in(browser.get(estate.crm.url), "lin", "lin's own").status_code == 200
        estate.write(replace(LIN, accounts=(Account(SELLER, "warehouse-lead", "viewer"),)))
        assert browser.get(estate.crm.url).status_code == 200
        page = browser.get(f"{estate.crm.url}/sign-in")
        assert page.status_code == 403
        assert "role viewer" in page.text
        assert "138****1234" not in page.text


def test_code_of_one_app_is_worth_nothing_to_another(estate: Estate) -> None:
    with Browser(estate.provider.ca) as lin, Browser(estate.provider.ca) as thief:
        lin.sign_in(lin.get(estate.crm.url), "lin", "lin's own")
        begun = lin.get(f"{estate.crm.url}/sign-in", follow_redirects=False)
        code = told(lin.walk(begun, f"{estate.crm.url}/signed-in"))["code"]
        state = told(thief.get(f"{estate.erp.url}/sign-in", follow_redirects=False))["state"]
        refused = thief.get(f"{estate.erp.url}/signed-in", params={"code": code, "state": state})
        assert refused.status_code == 403
        assert "invalid_grant" in refused.text


async def test_rotated_password_is_used_without_a_restart(estate: Estate, conn: Connection, database: Target) -> None:
    with Browser(estate.provider.ca) as browser:
        assert browser.sign_in(browser.get(estate.crm.url), "lin", "lin's own").status_code == 200
        estate.secret.update({"username": f"{database.database}crmb", "password": "crm-b"})
        await conn.execute(f"ALTER ROLE {database.database}crma NOLOGIN")
        assert "138****1234" in browser.get(estate.crm.url).text
