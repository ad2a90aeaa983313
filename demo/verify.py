# SPDX-License-Identifier: Apache-2.0
"""The oracle: compares the sender's log with the database, row by row. Imports nothing of Cairn; reads with plain psql.

Every accepted record must be accounted for, so accepted = landed + quarantined + lost + stale, in records:
landed       its row stands at this version, byte for byte, or at a newer one
quarantined  it lies in sys_info.jdp_quarantine, byte for byte
lost         there is no row with its key
stale        its row stands at an older version, or at the same `modified` with other bytes
Of what the platform has and never pushed (its own log says which), in records, by kind: history or unpushed
brought      its row stands, byte for byte
not brought  it does not
Beside them, in rows:
duplicates   rows beyond the first of a key
unknown      rows whose bytes were never acknowledged (of this run's keys)

Freshness of a row: from the first 202 for the version that stands to the row's `jdp_modified`, the database's clock
when the batch was applied, just before its commit. Both clocks are this machine's. A row may land before its 202
arrives: that counts as 0. Versions that were overtaken have left no time behind and are not measured.
rate = landed records / seconds from the first 202 to the last commit (the newest `jdp_modified`).
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from demo.log import Answer, Entry, read
from demo.orders import RUN_KEYS

TABLES = {"trades": ("jdp_tb_trade", "tid"), "refunds": ("jdp_tb_refund", "refund_id")}
DATABASE_TIME_ZONE = "Asia/Shanghai"
"""jdp_modified is written as wall clock, without a zone, as the sellers' software expects it."""


@dataclass(slots=True)
class Row:
    """What stands in the table: the version's time and md5, when it was applied (seconds since 1970), how often."""

    modified: str
    digest: str
    applied: float
    count: int = 1
    acknowledged: float | None = None
    brought: bool = False


Tables = dict[str, dict[int, Row]]


@dataclass(slots=True)
class Verdict:
    accepted: int = 0
    landed: int = 0
    lost: int = 0
    stale: int = 0
    duplicates: int = 0
    quarantined: int = 0
    unknown: int = 0
    good_in_quarantine: int = 0
    rejected: int = 0
    history: int = 0
    unpushed: int = 0
    not_brought: int = 0
    rows: int = 0
    first_202: float = float("inf")
    last_commit: float = 0.0
    freshness: list[float] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return max(0.0, self.last_commit - self.first_202)

    @property
    def good(self) -> bool:
        wrong = self.lost or self.stale or self.duplicates or self.unknown or self.good_in_quarantine
        wrong = wrong or self.not_brought
        return self.accepted > 0 and not wrong

    def note(self, text: str) -> None:
        if len(self.examples) < 10:
            self.examples.append(text)


def compare(answers: Iterable[Answer], tables: Tables, quarantine: set[str], held: Iterable[Answer] = ()) -> Verdict:
    """Judge every accepted record. `quarantine` has the md5 of every payload in quarantine, `held` what the platform
    holds and never pushed."""
    verdict = Verdict()
    for answer in held:
        for one in answer.accepted:
            _judge_held(one, answer, tables[answer.dataset], verdict)
    for answer in answers:
        verdict.first_202 = min(verdict.first_202, answer.at)
        verdict.rejected += len(answer.rejected)
        for one in answer.accepted:
            _judge(one, answer, tables[answer.dataset], quarantine, verdict)
    for dataset, rows in tables.items():
        _look_at_rows(dataset, rows, verdict)
    return verdict


def _judge(one: Entry, answer: Answer, rows: dict[int, Row], quarantine: set[str], verdict: Verdict) -> None:
    verdict.accepted += 1
    row = rows.get(one.key) if one.key is not None else None
    if one.digest in quarantine:
        verdict.quarantined += 1
        if one.kind != "poison":
            verdict.good_in_quarantine += 1
            verdict.note(f"good, but in quarantine: {answer.dataset} {one.key} of {one.modified}")
    elif row is None:
        verdict.lost += 1
        verdict.note(f"lost: {answer.dataset} {one.key} of {one.modified}, accepted at {answer.at:.3f}")
    elif one.modified > row.modified or (one.modified == row.modified and one.digest != row.digest):
        verdict.stale += 1
        verdict.note(f"stale: {answer.dataset} {one.key} accepted {one.modified}, the row has {row.modified}")
    else:
        verdict.landed += 1
        if (one.modified, one.digest) == (row.modified, row.digest):
            row.acknowledged = min(answer.at, row.acknowledged or answer.at)


def _judge_held(one: Entry, answer: Answer, rows: dict[int, Row], verdict: Verdict) -> None:
    row = rows.get(one.key) if one.key is not None else None
    if row is None or (one.modified, one.digest) != (row.modified, row.digest):
        verdict.not_brought += 1
        verdict.note(f"never pushed, and not brought in: {answer.dataset} {one.key} of {one.modified}")
        return
    row.brought = True
    if one.kind == "history":
        verdict.history += 1
    else:
        verdict.unpushed += 1


def _look_at_rows(dataset: str, rows: dict[int, Row], verdict: Verdict) -> None:
    for key, row in rows.items():
        verdict.rows += 1
        verdict.duplicates += row.count - 1
        if row.count > 1:
            verdict.note(f"duplicate: {dataset} {key} stands {row.count} times")
        if row.brought:
            continue  # when, is no business of the stream's
        verdict.last_commit = max(verdict.last_commit, row.applied)
        if row.acknowledged is None:
            verdict.unknown += 1
            verdict.note(f"unknown: {dataset} {key} of {row.modified} was never acknowledged with these bytes")
        else:
            verdict.freshness.append(max(0.0, row.applied - row.acknowledged))


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed; 0 of nothing."""
    return sorted(values)[max(0, -int(-len(values) * share // 1) - 1)] if values else 0.0


def dump(psql: list[str], runs: Iterable[int]) -> tuple[Tables, set[str]]:
    """All rows of these runs' keys, and all of the quarantine."""
    tables: Tables = {}
    for dataset, (table, key) in TABLES.items():
        spans = (f"{key} BETWEEN {run * RUN_KEYS} AND {(run + 1) * RUN_KEYS - 1}" for run in runs)
        query = (
            f"SELECT {key}, to_char(modified, 'YYYY-MM-DD HH24:MI:SS'), md5(jdp_response),"
            f" extract(epoch FROM jdp_modified AT TIME ZONE '{DATABASE_TIME_ZONE}')"
            f" FROM sys_info.{table} WHERE {' OR '.join(spans)}"
        )
        rows = tables.setdefault(dataset, {})
        for found, modified, digest, applied in _copied(psql, query):
            row = Row(modified, digest, float(applied))
            if int(found) in rows:
                row.count += rows[int(found)].count
            rows[int(found)] = row
    return tables, {digest for (digest,) in _copied(psql, "SELECT md5(payload) FROM sys_info.jdp_quarantine")}


def _copied(psql: list[str], query: str) -> Iterator[list[str]]:
    command = [*psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", f"COPY ({query}) TO STDOUT"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield line.rstrip("\n").split("\t")
    if process.returncode:
        raise SystemExit(f"psql ended with {process.returncode}: {query}")


COUNTS = (
    "accepted", "landed", "lost", "stale", "duplicates", "quarantined", "history", "unpushed", "not_brought",
)  # fmt: skip


def report(verdict: Verdict, kills: int) -> dict[str, float]:
    seconds = verdict.seconds
    counted = asdict(verdict)
    return {
        **{name: counted[name] for name in COUNTS},
        "rate_per_s": round(verdict.landed / seconds) if seconds else 0,
        "freshness_p99_s": round(percentile(verdict.freshness, 0.99), 3),
        "kills": kills,
        "seconds": round(seconds, 1),
    }


def table(verdict: Verdict, numbers: dict[str, float]) -> str:
    lines = {
        "records accepted (202)": verdict.accepted,
        "refused with a reason (4xx)": verdict.rejected,
        "landed": verdict.landed,
        "quarantined": verdict.quarantined,
        "lost": verdict.lost,
        "stale": verdict.stale,
        "rows": verdict.rows,
        "duplicate rows": verdict.duplicates,
        "rows never acknowledged": verdict.unknown,
        "good records in quarantine": verdict.good_in_quarantine,
        "never pushed, brought in: history": verdict.history,
        "never pushed, brought in: audit": verdict.unpushed,
        "never pushed, not brought in": verdict.not_brought,
        "killed or restarted meanwhile": numbers["kills"],
        "seconds, first 202 to last commit": numbers["seconds"],
        "records a second": numbers["rate_per_s"],
        "freshness p50, seconds": round(percentile(verdict.freshness, 0.5), 3),
        "freshness p99, seconds": numbers["freshness_p99_s"],
        "freshness max, seconds": round(max(verdict.freshness, default=0.0), 3),
    }
    return "\n".join(f"  {name:<34}{value:>12,}" for name, value in lines.items())


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m demo.verify", description="Compare the sender's log with the database."
    )
    parser.add_argument("--log", type=Path, required=True, help="what demo.sender wrote")
    parser.add_argument("--psql", default="psql", help="a command that is psql on the database, split as a shell would")
    parser.add_argument("--run", type=int, required=True, help="first digits of this run's keys")
    parser.add_argument("--held", type=Path, help="log of what the platform holds and never pushed; from run 0, too")
    parser.add_argument("--kills", type=int, default=0, help="how many faults there were, for the report")
    parser.add_argument("--report", type=Path, help="where to write the report (JSON)")
    args = parser.parse_args()
    held = list(read(args.held)) if args.held else []
    tables, quarantine = dump(shlex.split(args.psql), {args.run, 0} if held else {args.run})
    verdict = compare(read(args.log), tables, quarantine, held)
    numbers = report(verdict, args.kills)
    print(table(verdict, numbers))
    if args.report:
        args.report.parent.mkdir(parents=True, exist_ok=True)
        args.report.write_text(json.dumps(numbers, indent=2) + "\n")
    print("\n".join(verdict.examples))
    sys.exit(0 if verdict.good else 1)


if __name__ == "__main__":
    main()
