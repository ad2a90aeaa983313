# SPDX-License-Identifier: Apache-2.0
"""An app lets nobody in by a token that is not for it, not from its provider, or over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from joserfc.jwk import RSAKey

from data.sign_on.apps import Browser, Running
from data.sign_on.conftest import Bind
from data.sign_on.liar import Claims, Liar


@pytest.fixture
def liar() -> Iterator[Liar]:
    with Liar("cairn-2088-crm") as running:
        yield running


@pytest.fixture
def crm(liar: Liar, bind: Bind, tmp_path: Path) -> Iterator[Running]:
    with Running("crm.py", tmp_path) as app:
        yield app.start(bind("crm", liar.issuer))


def _forged(liar: Liar) -> None:
    liar.key = RSAKey.generate_key(2048, {"kid": "known"}, auto_kid=False)


def _silent(liar: Liar) -> None:
    liar.tells = False


def test_honest_token_lets_in_until_the_provider_lies(liar: Liar, crm: Running) -> None:
    lies: dict[str, Claims] = {
        "another app's": {"aud": ["cairn-2088-erp"], "azp": "cairn-2088-erp"},
        "another app's, as if for this one": {"aud": ["cairn-2088-erp"]},
        "nobody's": {"aud": None},
        "over": {"exp": int(time.time()) - 60},
        "without an end": {"exp": None},
        "of another issuer": {"iss": "https://sign-on.example.org"},
        "of an issuer that has this one's name in it": {"iss": f"{liar.issuer}/"},
        "of another sign-in": {"nonce": "another"},
        "of no sign-in": {"nonce": None},
        "another seller's people": {"groups": ["cairn:20880:lin", "x:cairn:2088:lin"]},
        "of no group": {"groups": None},
        "without a role": {"cairn_role": None},
    }

    def told() -> int:
        with Browser() as browser:
            return browser.get(crm.url).status_code

    assert told() == 200
    for what, claims in lies.items():
        liar.claims = claims
        assert told() == 403, what
    liar.claims = {}
    for lie in (_forged, _silent):
        lie(liar)
        assert told() == 403, lie
    liar.key, liar.tells = liar.known, True
    assert told() == 200


def test_sign_in_that_another_browser_began_is_refused(liar: Liar, crm: Running) -> None:
    with Browser() as attacker, Browser() as victim:
        begun = attacker.get(f"{crm.url}/sign-in", follow_redirects=False)
        refused = victim.get(attacker.walk(begun, crm.url).headers["Location"])
        assert refused.status_code == 403
        assert "state" in refused.text
