# SPDX-License-Identifier: Apache-2.0
"""People with accounts at sellers, who come to the API server by a token of the platform's provider."""

from __future__ import annotations

from pathlib import Path

import yaml

from cairn_devcluster.oidc import Client, Provider
from cluster.caller import Caller
from cluster.charted import Charted
from data.sign_on.apps import Browser

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "tenant" / "sign-on" / "authentication.yaml"
HERE = "http://127.0.0.1:8000/"
CONSOLE = Client("cairn-console", (HERE,))


def authentication(provider: Provider) -> str:
    """The example's configuration of an API server, for this provider."""
    body = yaml.safe_load(EXAMPLE.read_text())
    issuer = body["jwt"][0]["issuer"]
    issuer |= {"url": provider.issuer, "certificateAuthority": provider.ca.read_text()}
    assert issuer["audiences"] == [CONSOLE.id]
    return yaml.safe_dump(body)


def token(provider: Provider, name: str, client: Client = CONSOLE) -> str:
    """An ID token of a person whose password is their name."""
    with Browser(provider.ca) as browser:
        return browser.token(provider.issuer, client.id, client.redirects[0], name, name)


def person(charted: Charted, provider: Provider, name: str) -> Caller:
    return Caller(charted.admin.server, charted.admin.pki, token=token(provider, name))
