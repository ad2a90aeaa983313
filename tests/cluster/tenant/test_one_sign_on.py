# SPDX-License-Identifier: Apache-2.0
"""Two vendors' apps know nothing but the Secret that Cairn delivers; one sub-account opens both with one password."""

from __future__ import annotations

from pathlib import Path

import pytest

from cairn.api.platform import ExternalDatabases, Identity, Platform
from cairn_devcluster.oidc import Account, Client, Person, Provider
from cluster.tenant.estate import Estate, grant
from data.sign_on.apps import Browser, Mounted, Running

APPS = {"crm-acme": "crm.py", "erp-bolt": "erp.py"}


@pytest.fixture(scope="module")
def platform(provider: Provider) -> Platform:
    """A platform that has its people sign in at this provider."""
    identity = Identity(issuer=provider.issuer, role_claim=provider.role_claim)
    return Platform(external_databases=ExternalDatabases(denied_networks=()), identity=identity)


async def _mounted(estate: Estate, app: str, directory: Path) -> Mounted:
    held = await estate.secret(app)
    assert held is not None
    return Mounted(directory / app, held)


async def test_sub_account_signs_in_to_both_apps_by_the_secrets_that_cairn_delivered(
    estate: Estate, provider: Provider, tmp_path: Path
) -> None:
    await estate.served(*APPS, grants=[grant(app) for app in APPS])
    assert estate.data is not None
    await estate.data.trade(1)
    with Running("crm.py", tmp_path) as crm, Running("erp.py", tmp_path) as erp, Browser(provider.ca) as browser:
        running = {"crm-acme": crm, "erp-bolt": erp}
        secrets = {app: await _mounted(estate, app, tmp_path) for app in APPS}
        clients = [
            Client(secrets[app].keys["oidc-client-id"], (f"{running[app].url}/signed-in",), estate.number)
            for app in APPS
        ]
        lin = Person("lin", "lin's own", (Account(estate.number, "warehouse-lead", "operator"),))
        provider.write([lin], clients)
        for app, one in running.items():
            one.start(secrets[app], provider.ca)

        first = browser.sign_in(browser.get(crm.url), "lin", "lin's own")
        second = browser.get(erp.url)
        for app, page in (("crm-acme", first), ("erp-bolt", second)):
            assert page.status_code == 200, page.text
            assert "lin, role operator" in page.text
            rows = await estate.rows(app)
            assert rows
            for row in rows:
                assert all(f"<td>{value}</td>" in page.text for value in row.values())

        await estate.tenant(grants=[grant("erp-bolt")])
        await estate.settle()
        assert "<td>" not in browser.get(crm.url).text
        assert "<td>" in browser.get(erp.url).text
