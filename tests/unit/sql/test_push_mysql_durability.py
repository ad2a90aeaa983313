# SPDX-License-Identifier: Apache-2.0
"""Which settings of a MySQL or MariaDB can lose a commit, and what they must be instead."""

from __future__ import annotations

import pytest

from cairn.sql.push.mysql.durability import weak

SAFE = {"innodb_flush_log_at_trx_commit": "1", "innodb_doublewrite": "1", "log_bin": "1", "sync_binlog": "1"}


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"innodb_flush_log_at_trx_commit": "3"},
        {"innodb_doublewrite": "ON"},
        {"innodb_doublewrite": "DETECT_AND_RECOVER"},
        {"log_bin": "0", "sync_binlog": "0"},
        {"log_bin": "OFF", "sync_binlog": "0"},
    ],
)
def test_safe_settings_are_not_told(found: dict[str, str]) -> None:
    assert weak(SAFE | found) == ()


@pytest.mark.parametrize(
    ("name", "value", "must"),
    [
        ("innodb_flush_log_at_trx_commit", "0", "1"),
        ("innodb_flush_log_at_trx_commit", "2", "1"),
        ("innodb_doublewrite", "0", "ON"),
        ("innodb_doublewrite", "OFF", "ON"),
        ("innodb_doublewrite", "DETECT_ONLY", "ON"),
        ("innodb_doublewrite", "FAST", "ON"),
        ("sync_binlog", "0", "1"),
        ("sync_binlog", "100", "1"),
    ],
)
def test_setting_that_loses_commits_is_told_with_what_it_must_be(name: str, value: str, must: str) -> None:
    assert weak(SAFE | {name: value}) == (f"{name} = {value} (must be {must})",)
