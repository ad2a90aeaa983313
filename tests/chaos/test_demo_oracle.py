# SPDX-License-Identifier: Apache-2.0
"""The oracle as a program, on a real PostgreSQL with the real tables: wrong on purpose, it must turn red."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from demo.log import Answer, entry, write
from demo.orders import Record, Stream

from cairn.datasets import shipped
from cairn.sql.postgresql import Target, connect
from cairn.sql.push.postgresql.schema import ensure_schema

TREE = Path(__file__).resolve().parents[2]
RUN = 7
REPORT = {
    "accepted", "landed", "lost", "stale", "duplicates", "quarantined",
    "history", "unpushed", "not_brought", "rate_per_s", "freshness_p99_s", "kills", "seconds",
}  # fmt: skip
ANY_TRADE = "tid = (SELECT min(tid) FROM sys_info.jdp_tb_trade)"


@dataclass
class Shop:
    """A database that holds just what the log says was accepted."""

    target: Target
    log: Path
    report: Path

    async def execute(self, *statements: str) -> None:
        conn = await connect(self.target)
        try:
            for statement in statements:
                await conn.execute(statement)
        finally:
            await conn.close()

    def verify(self, *more: str) -> tuple[int, dict[str, float]]:
        """Exit code and report of the oracle."""
        place = f"host=127.0.0.1 port={self.target.port} user=postgres dbname={self.target.database} sslmode=require"
        command = [sys.executable, "-m", "demo.verify", "--log", str(self.log), "--run", str(RUN), "--kills", "2"]
        command += [
            *more,
            "--psql",
            f"env PGPASSWORD={self.target.password} psql '{place}'",
            "--report",
            str(self.report),
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=TREE)
        assert not done.stderr, done.stderr
        return done.returncode, json.loads(self.report.read_text())


@pytest_asyncio.fixture
async def shop(database: Target, tmp_path: Path) -> Shop:
    shop = Shop(database, tmp_path / "log", tmp_path / "report.json")
    await fill(shop)
    return shop


async def fill(shop: Shop) -> None:
    """Log every record of a small stream as accepted a second ago, and write what must stand then."""
    records = list(Stream(60, run=RUN))
    with shop.log.open("w") as log:
        for number, record in enumerate(records):
            write(log, Answer(time.time() - 1 + number / 1e6, record.dataset, 1, (entry(record),), ()))
    newest: dict[tuple[str, int], Record] = {}
    poison: list[bytes] = []
    for record in records:
        if record.kind == "poison" or record.key is None:
            poison.append(record.line)
        elif (key := (record.dataset, record.key)) not in newest or newest[key].modified < record.modified:
            newest[key] = record
    conn = await connect(shop.target)
    await ensure_schema(conn, shipped().values(), {})
    for table, column, dataset in (("jdp_tb_trade", "tid", "trades"), ("jdp_tb_refund", "refund_id", "refunds")):
        await conn.executemany(
            f"INSERT INTO sys_info.{table} ({column}, modified, jdp_response, jdp_modified)"
            " VALUES ($1, $2::text::timestamp, $3, now() AT TIME ZONE 'Asia/Shanghai')",
            [(one.key, one.modified, one.line.decode()) for one in newest.values() if one.dataset == dataset],
        )
    await conn.executemany(
        "INSERT INTO sys_info.jdp_quarantine (topic, stream, stream_seq, member_no, reason, payload)"
        " VALUES ('trades', 'PUSH', $1, 0, 'test', $2)",
        list(enumerate(poison)),
    )
    await conn.close()


async def test_oracle_database_holds_what_was_accepted_exits_0(shop: Shop) -> None:
    code, report = shop.verify()

    assert code == 0
    assert set(report) == REPORT
    assert (report["lost"], report["stale"], report["duplicates"]) == (0, 0, 0)
    assert report["accepted"] == report["landed"] + report["quarantined"] > 500
    assert report["quarantined"] == 12
    assert report["kills"] == 2
    assert 0.5 < report["freshness_p99_s"] < 60
    assert report["rate_per_s"] > 0


@pytest.mark.parametrize(
    ("sabotage", "shown"),
    [
        pytest.param([f"DELETE FROM sys_info.jdp_tb_trade WHERE {ANY_TRADE}"], "lost", id="order-missing"),
        pytest.param(["TRUNCATE sys_info.jdp_tb_refund"], "lost", id="refunds-missing"),
        pytest.param(["DELETE FROM sys_info.jdp_quarantine WHERE id = 3"], "lost", id="poison-dropped"),
        pytest.param(
            [f"UPDATE sys_info.jdp_tb_trade SET modified = modified - interval '1 second' WHERE {ANY_TRADE}"],
            "stale",
            id="older-version",
        ),
        pytest.param(
            [f"UPDATE sys_info.jdp_tb_trade SET jdp_response = jdp_response || ' ' WHERE {ANY_TRADE}"],
            "stale",
            id="a-byte-more",
        ),
        pytest.param(
            [
                "ALTER TABLE sys_info.jdp_tb_trade DROP CONSTRAINT jdp_tb_trade_pkey",
                f"INSERT INTO sys_info.jdp_tb_trade SELECT * FROM sys_info.jdp_tb_trade WHERE {ANY_TRADE}",
            ],
            "duplicates",
            id="same-order-twice",
        ),
    ],
)
async def test_oracle_database_is_wrong_exits_1_and_says_how(shop: Shop, sabotage: list[str], shown: str) -> None:
    await shop.execute(*sabotage)

    code, report = shop.verify()

    assert code == 1
    assert {name for name in ("lost", "stale", "duplicates") if report[name]} == {shown}


async def test_oracle_row_that_nobody_sent_exits_1(shop: Shop) -> None:
    await shop.execute(
        "INSERT INTO sys_info.jdp_tb_trade (tid, modified, jdp_response, jdp_modified)"
        f" VALUES ({RUN}999999999, '2026-01-01', '{{}}', now() AT TIME ZONE 'Asia/Shanghai')"
    )

    assert shop.verify()[0] == 1


async def test_oracle_good_order_in_quarantine_exits_1(shop: Shop) -> None:
    await shop.execute(
        "INSERT INTO sys_info.jdp_quarantine (topic, stream, stream_seq, member_no, reason, payload)"
        " SELECT 'trades', 'PUSH', 1000, 0, 'by mistake', convert_to(jdp_response, 'UTF8')"
        f" FROM sys_info.jdp_tb_trade WHERE {ANY_TRADE}"
    )

    assert shop.verify()[0] == 1


@pytest.mark.parametrize(("brought", "code"), [(True, 0), (False, 1)])
async def test_oracle_what_was_never_pushed_must_stand(shop: Shop, tmp_path: Path, brought: bool, code: int) -> None:
    """A record of the history, and the newest version of an order of which an older one was pushed."""
    sent = [one for one in Stream(60, run=RUN) if one.kind == "generated"]
    newest = max(sent, key=lambda one: (one.key or 0, one.modified))
    later = replace(newest, modified="2026-12-01 00:00:00", line=b"later", kind="unpushed")
    old = replace(newest, key=3, line=b"old", kind="history")
    with (tmp_path / "held").open("w") as held:
        write(held, Answer(time.time(), "trades", 1, (entry(later), entry(old)), ()))
    if brought:
        columns = "modified, jdp_response, jdp_created, jdp_modified"
        await shop.execute(
            f"UPDATE sys_info.jdp_tb_trade SET modified = '{later.modified}', jdp_response = 'later'"
            f" WHERE tid = {later.key}",
            f"INSERT INTO sys_info.jdp_tb_trade (tid, {columns}) SELECT 3, '{old.modified}', 'old', now(), now()",
        )

    found, report = shop.verify("--held", str(tmp_path / "held"))

    assert found == code
    assert (report["history"], report["unpushed"], report["not_brought"]) == ((1, 1, 0) if brought else (0, 0, 2))
