# SPDX-License-Identifier: Apache-2.0
"""Verifiers as a server stores them. A login may write its own: what stands there is its owner's word."""

from __future__ import annotations

import time

from cairn.sql.logins import opens
from cairn.sql.roles import scram_verifier


def test_verifier_of_the_password_opens() -> None:
    assert opens(scram_verifier("right"), "right")
    assert not opens(scram_verifier("right"), "wrong")


def test_verifier_that_would_take_minutes_to_compare_is_not_compared() -> None:
    begun = time.monotonic()
    assert not opens("SCRAM-SHA-256$5000000:c2FsdA==$a:b", "right")
    assert time.monotonic() - begun < 0.5
