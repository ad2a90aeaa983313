# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.bus.credentials import Creds, mint_user
from cairn.bus.nkeys import BadKeyError, KeyPair, KeyType

KINDS = st.sampled_from(KeyType)


def test_from_seed_of_a_seed_that_another_program_made_is_taken() -> None:
    """The example in the documentation of nats-io/nkeys."""
    pair = KeyPair.from_seed("SUAGMJH5XLGZKQQWAWKRZJIGMOU4HPFUYLXJMXOO5NLFEO2OOQJ5LPRDPM")
    assert pair.kind is KeyType.USER


@given(KINDS, st.binary(min_size=32, max_size=32))
def test_seed_and_public_key_show_what_the_key_is_for(kind: KeyType, raw: bytes) -> None:
    pair = KeyPair(kind, raw)
    letter = {KeyType.OPERATOR: "O", KeyType.ACCOUNT: "A", KeyType.USER: "U"}[kind]
    assert pair.seed.startswith("S" + letter)
    assert pair.public.startswith(letter)
    assert len(pair.public) == 56
    again = KeyPair.from_seed(pair.seed)
    assert (again.kind, again.public) == (kind, pair.public)
    assert again.sign(b"nonce") == pair.sign(b"nonce")


@given(KINDS, st.integers(0, 57), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
def test_from_seed_of_a_mistyped_seed_is_refused(kind: KeyType, at: int, letter: str) -> None:
    seed = KeyPair(kind, bytes(range(32))).seed
    wrong = seed[:at] + letter + seed[at + 1 :]
    if wrong != seed:
        with pytest.raises(BadKeyError):
            KeyPair.from_seed(wrong)


@given(st.text())
def test_from_seed_of_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadKeyError):
        KeyPair.from_seed(text)


def test_mint_user_says_who_may_do_what_until_when() -> None:
    account = KeyPair.generate(KeyType.ACCOUNT)
    creds = Creds.parse(mint_user(account.seed, "gateway", ["push.*.*.*"], ["_INBOX_gateway.>"], expires=2_000_000_000))
    claims = creds.claims()
    assert claims["iss"] == account.public
    assert claims["sub"] == creds.key.public
    assert claims["exp"] == 2_000_000_000
    assert claims["nats"]["pub"] == {"allow": ["push.*.*.*"]}
    assert "S" + "A" not in repr(account)


def test_parse_of_text_that_is_no_creds_file_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not a \.creds file"):
        Creds.parse("hello")
