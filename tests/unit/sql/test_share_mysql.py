# SPDX-License-Identifier: Apache-2.0
"""The pure parts of shared data on MySQL and MariaDB. What servers make of it: tests/data/engines."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cairn.sql.share.mysql.catalog import matching, unescaped
from cairn.sql.share.mysql.desired import desired
from cairn.sql.share.mysql.names import MARIADB, MYSQL, Flavour, identifier, literal
from cairn.sql.share.mysql.passwords import _sha256_crypt, caching_sha2, native, opens
from cairn.sql.share.mysql.steps import mendable
from cairn.sql.share.mysql.views import view_sql
from cairn.sql.share.state import Entry
from data.share.designs import design


def test_passwords_are_stored_as_the_servers_do() -> None:
    """The first by SHA-crypt's own examples, with MySQL's longer salt; the second by MariaDB's PASSWORD('password')."""
    assert _sha256_crypt(b"Hello world!", b"saltstring", 5000) == "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
    stored = caching_sha2("Hello world!", salt="abcdefghijklmnopqrst")
    assert stored.startswith("$A$005$abcdefghijklmnopqrst")
    assert len(stored) == 70
    assert native("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


@pytest.mark.parametrize("make", [caching_sha2, native])
def test_a_password_opens_what_was_stored_of_it_alone(make: object) -> None:
    stored = make("pässword")  # type: ignore[operator]  # one of the two
    assert opens(stored, "pässword")
    assert not opens(stored, "password")
    assert not opens(stored[:-1], "pässword")


@pytest.mark.parametrize("stored", [None, "", "$A$005$", "invalid", "$5$abc"])
def test_what_is_no_password_opens_to_none(stored: str | None) -> None:
    assert not opens(stored, "")


@pytest.mark.parametrize(("stored", "reached"), [
    ("sab", ["sab"]), ("s%", ["sab", "s_b"]), ("s_b", ["sab", "s_b"]), (r"s\_b", ["s_b"]), ("%", ["sab", "s_b", "map"]),
    ("other", []),
])  # fmt: skip
def test_database_rights_reach_what_their_pattern_matches(stored: str, reached: list[str]) -> None:
    assert matching(stored, ["sab", "s_b", "map"]) == reached


def test_a_pattern_of_others_is_told_and_not_taken() -> None:
    entry = Entry("database s%", "", "reader@%", "SELECT", grantable=False, grantor="")
    assert not mendable(entry)
    assert mendable(Entry("database map", "", "reader@%", "SELECT", grantable=False, grantor=""))
    assert (unescaped("s%"), unescaped(r"s\_b"), unescaped("sab")) == (None, "s_b", "sab")


@pytest.mark.parametrize("flavour", [MYSQL, MARIADB])
def test_views_hold_no_shop_and_let_no_condition_in(flavour: Flavour) -> None:
    whole = design("platform")
    for view in whole.views:
        sql = view_sql(whole, view, flavour)
        assert "55501" not in sql
        assert sql.endswith(" LIMIT 18446744073709551615")
        assert " ALGORITHM = TEMPTABLE " in sql


@pytest.mark.parametrize("flavour", [MYSQL, MARIADB])
def test_no_name_that_is_generated_is_a_pattern_or_too_long(flavour: Flavour) -> None:
    state = desired(design("platform"), flavour)
    for name in state.objects:
        parts = name.partition(" ")[2].partition("@")[0].split(".")
        assert not set("%_") & set("".join(parts))
        assert all(len(part) <= 32 for part in parts)
    assert {entry.grantor for entry in state.entries} == {""}


def test_what_should_stand_is_known_without_a_driver() -> None:
    code = "import sys, cairn.sql.share.mysql.desired; sys.exit('pymysql' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_quoting_keeps_texts_in_their_quotes() -> None:
    assert literal("a'b\\") == "'a''b\\\\'"
    assert identifier("a`b") == "`a``b`"
    for name in ("", "x" * 65, "a ", "a\0"):
        with pytest.raises(ValueError, match="not a MySQL name"):
            identifier(name)
