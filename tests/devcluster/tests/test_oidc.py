# SPDX-License-Identifier: Apache-2.0
"""The OpenID provider keeps to what its clients rely on."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from cairn_devcluster.oidc import Account, Client, Person, Provider
from data.sign_on.apps import Browser, told

HERE = "http://127.0.0.1:8000/"
LIN = Person("lin", "lin's own", (Account("2088", "lead", "operator"),))


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with Provider(tmp_path_factory.mktemp("provider")) as running:
        running.write([LIN], [Client("app", (HERE,), "2088")])
        yield running


@pytest.fixture
def browser(provider: Provider) -> Iterator[Browser]:
    with Browser(provider.ca) as browser:
        yield browser


def _ask(browser: Browser, provider: Provider, **further: str) -> httpx.Response:
    asked = {"response_type": "code", "client_id": "app", "redirect_uri": HERE, "scope": "openid"} | further
    return browser.walk(browser.get(f"{provider.issuer}/authorize", params=asked, follow_redirects=False), HERE)


def _redeem(browser: Browser, provider: Provider, code: str, **further: str) -> httpx.Response:
    body = {"grant_type": "authorization_code", "code": code, "redirect_uri": HERE, "client_id": "app"} | further
    return browser.post(f"{provider.issuer}/oauth/token", data=body)


def test_code_needs_the_verifier_of_who_asked(provider: Provider, browser: Browser) -> None:
    page = _ask(browser, provider)
    browser.walk(browser.sign_in(page, "lin", "lin's own", follow=False), HERE)
    for challenge in ({}, {"code_challenge": "x" * 43, "code_challenge_method": "S256"}):
        for verifier in ({}, {"code_verifier": "y" * 43}):
            code = told(_ask(browser, provider, **challenge))["code"]
            refused = _redeem(browser, provider, code, **verifier)
            assert refused.status_code == 400, refused.text


def test_redirect_that_is_not_registered_is_none(provider: Provider, browser: Browser) -> None:
    answer = _ask(browser, provider, redirect_uri="http://127.0.0.1:8001/")
    assert answer.status_code == 400, answer.headers


def test_session_lasts_until_it_is_ended(provider: Provider, browser: Browser) -> None:
    hint = browser.token(provider.issuer, "app", HERE, "lin", "lin's own")
    assert "code" in told(_ask(browser, provider, prompt="none"))
    assert browser.asked(_ask(browser, provider, prompt="login"))
    browser.get(f"{provider.issuer}/end_session", params={"id_token_hint": hint}, follow_redirects=False)
    assert told(_ask(browser, provider, prompt="none"))["error"] == "login_required"
