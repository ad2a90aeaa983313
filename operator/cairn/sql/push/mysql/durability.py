# SPDX-License-Identifier: Apache-2.0
"""Settings of a MySQL or MariaDB under which a commit can be lost."""

from __future__ import annotations

from collections.abc import Mapping

from cairn.sql.share.mysql.connection import Session

_ASKED = ("innodb_flush_log_at_trx_commit", "innodb_doublewrite", "log_bin", "sync_binlog")


async def durability(session: Session) -> tuple[str, ...]:
    """Each as `name = value (must be other)`."""
    ((*values,),) = await session.fetch("SELECT " + ", ".join(f"@@GLOBAL.{name}" for name in _ASKED))
    return weak({name: str(value).upper() for name, value in zip(_ASKED, values, strict=True)})


def weak(found: Mapping[str, str]) -> tuple[str, ...]:
    """Of the values as the server has them, in capitals. Pure."""
    must = {}
    # MariaDB's 3 writes the log once more than 1 does
    if found["innodb_flush_log_at_trx_commit"] not in ("1", "3"):
        must["innodb_flush_log_at_trx_commit"] = "1"
    # MySQL's DETECT_ONLY finds a torn page and can't mend it; MariaDB's fast may forget the log too early
    if found["innodb_doublewrite"] not in ("1", "ON", "DETECT_AND_RECOVER"):
        must["innodb_doublewrite"] = "ON"
    # after a crash, what is in the engine's log and not in the binary one is rolled back
    if found["log_bin"] in ("1", "ON") and found["sync_binlog"] != "1":
        must["sync_binlog"] = "1"
    return tuple(f"{name} = {found[name]} (must be {value})" for name, value in must.items())
