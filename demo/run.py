# SPDX-License-Identifier: Apache-2.0
"""`make demo`: a cluster, Cairn on it, a seller's history, real orders pushed while things die and a disk is full, an
audit that finds what no push told, and the proof."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from demo import platform
from demo.faults import DATABASE_POD, NAMESPACE, SUBSCRIPTION, Faults
from demo.install import SYSTEM, cairn, install
from demo.orders import Stream
from demo.proven import audited, first_look, proof
from demo.steps import DemoError, say, step
from demo.target import TREE, MissingError, StepError, Target, chosen
from demo.target import run as run_command

SELLER = "acme"
BUILD = TREE / "build" / "demo"
FIRST_MINUTE = 1_767_225_600 // 60  # 2026-01-01: minutes since then tell the runs apart
SHORTEST_SECONDS = 45.0
"""A small run is slowed down to this, or nothing would flow while things die."""
QUIET_SECONDS = 3.0
"""The oracle reads every row, and so is asked only when nothing was written for this long."""
ROW_BYTES, VOLUME_MB = 1_700, 1_500
"""What an order takes with its indexes, and what the example's volume of 2 GiB holds beside the write-ahead log."""
SETTLED_SECONDS = 90.0
"""The database may stand still for this long, with records missing, before the demo calls them lost."""


def send(target: Target, faults: Faults, stream: Stream) -> Path:
    """Send everything through the gateway, with faults meanwhile. Returns the sender's log."""
    run = stream.run
    log, key = BUILD / f"accepted-{run}.jsonl", BUILD / "hmac.key"
    BUILD.mkdir(parents=True, exist_ok=True)
    key.touch(mode=0o600)
    key.write_text(target.secret(SYSTEM, "cairn-gateway")["hmac.key"])
    rate = len(stream) / SHORTEST_SECONDS if stream.orders < 50_000 else 0.0
    with target.gateway() as url:
        command = [
            sys.executable, "-m", "demo.sender", "--url", url, "--key-file", str(key), "--log", str(log),
            "--orders", str(stream.orders), "--run", str(run), "--rate", str(rate),
            "--first-day", stream.first_day.isoformat(),
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TREE) as process:
            assert process.stdout is not None
            _follow(process.stdout, faults)
    if process.returncode:
        raise DemoError(f"the sender gave up, see above; its log is {log}")
    faults.finish()
    return log


def _follow(lines: Iterable[str], faults: Faults) -> None:
    shown = 0.0
    for line in lines:
        counts = json.loads(line)
        share = (counts["accepted"] + counts["rejected"]) / counts["total"]
        faults.at(share)
        if share >= 1 or time.monotonic() - shown > 5:
            shown = time.monotonic()
            pace = f"{counts['per_s']:,} a second, {counts['retries']} retries"
            say(f"  {share:4.0%} accepted: {counts['accepted']:,}, {pace}")


def psql(target: Target) -> list[str]:
    """psql in the database's pod, as the seller's own software would read: with the reader's login."""
    login = target.secret(NAMESPACE, "shop-db-reader")
    inside = ["env", f"PGPASSWORD={login['password']}", "psql", "-h", "127.0.0.1", "-U", login["username"]]
    inside.append(login["database"])
    return [*target.command("exec", "-n", NAMESPACE, DATABASE_POD, "-c", "postgresql", "--"), *inside]


def room(target: Target, orders: int) -> None:
    """The volume of the example holds a few runs: say so instead of filling it."""
    query = "SELECT pg_total_relation_size('sys_info.jdp_tb_trade') / 1000000"
    there = int(run_command([*psql(target), "-XAtqc", query]))
    if there + orders * ROW_BYTES // 1_000_000 > VOLUME_MB:
        raise DemoError(f"{there} MB of orders of earlier runs fill its database: make demo-down, then make demo")


def settle(target: Target, log: Path, run: int, kills: int, held: Path | None = None) -> int:
    """Compare log and database until every record is accounted for, or nothing has moved for a minute."""
    report = BUILD / "report.json"
    more = ["--held", str(held)] if held else []
    command = [
        sys.executable, "-m", "demo.verify", "--log", str(log), "--psql", shlex.join(psql(target)),
        "--run", str(run), "--kills", str(kills), "--report", str(report), *more,
    ]  # fmt: skip
    moved, before, judged = time.monotonic(), "", ""
    while True:
        if (now := _progress(target)) != before:
            moved, before = time.monotonic(), now
            say(f"  {now}")
        if time.monotonic() - moved > QUIET_SECONDS and judged != before:
            judged = before
            done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=TREE)
            if done.returncode and not done.stdout:
                raise DemoError(f"the oracle could not read the database: {done.stderr.strip()}")
        if judged == before and (not done.returncode or time.monotonic() - moved > SETTLED_SECONDS):
            print(done.stdout)
            return done.returncode
        time.sleep(1)


def _progress(target: Target) -> str:
    """How far the database is, and how far behind the subscription says it is."""
    query = "SELECT sum(seq), (SELECT count(*) FROM sys_info.jdp_quarantine) FROM sys_info.jdp_cursor"
    written, quarantined = run_command([*psql(target), "-XAtqF,", "-c", query]).strip().split(",")
    found = target.get("pushsubscription", "-n", NAMESPACE, SUBSCRIPTION) or {}
    lag = found.get("status", {}).get("lag", {})
    behind = f"packs pending {lag.get('pending', '?')}, in work {lag.get('unacknowledged', '?')}"
    counts = f"rows written by now {int(written):,}, in quarantine {quarantined}"
    return f"{counts}; status.lag, as it was in the last pass: {behind}"


def prove(target: Target, orders: int, run: int) -> int:
    """0 when all that was accepted, all of the history, and all that no push told stands in the database."""
    faults, held = Faults(target), BUILD / f"held-{run}.jsonl"
    BUILD.mkdir(parents=True, exist_ok=True)
    held.unlink(missing_ok=True)
    today = platform.today(target)
    stream = Stream(orders, run, first_day=platform.first_day(today))
    with step("the seller's history, from before the subscription"):
        count = sum(1 for _ in platform.note(held, platform.history(target)))
        say(f"  of {count:,} orders: {first_look(psql(target), today)}")
    with step("orders come about on the platform; of one in a thousand the newest push will be lost"):
        say(f"  {platform.tell(target, platform.note(held, stream.newest())):,} orders and refunds")
    with step(f"sending real orders and {orders:,} generated ones"):
        log = send(target, faults, stream)
    with step("comparing the sender's log with the database, row by row"):
        code = settle(target, log, run, faults.kills)
    with step("an audit of all of it"):
        say(f"  {audited(target, stream.first_day, today)}")
    with step("comparing once more, with what was never pushed"):
        code = settle(target, log, run, faults.kills, held) or code
    with step("the proof in the subscription's status"):
        say(f"  {proof(target, psql(target))}")
    print(cairn("proof", SELLER, "--date", f"{stream.first_day:%Y%m%d}", "--kubeconfig", str(target.kubeconfig)))
    return code


def look_around(target: Target) -> None:
    kubectl, user = shlex.join(target.command()), target.secret(NAMESPACE, "shop-db-reader")["username"]
    print(f"""
Report: {BUILD / "report.json"}
Look around:
  alias k={shlex.quote(kubectl)}
  k get cairn -A
  k describe pushsubscription -n {NAMESPACE} orders
  k get all,pvc,networkpolicies -n {NAMESPACE}
  k logs -n {SYSTEM} -l app.kubernetes.io/component=operator --prefix
  PW=$(k get secret -n {NAMESPACE} shop-db-reader -o jsonpath='{{.data.password}}' | base64 -d)
  k exec -it -n {NAMESPACE} {DATABASE_POD} -c postgresql -- env PGPASSWORD=$PW psql -h 127.0.0.1 -U {user} shop
    select status, count(*), sum(payment) from platform.trades group by 1;
  cairn proof {SELLER} --kubeconfig {target.kubeconfig}
Again, with new orders:  make demo
Take all of it down:     make demo-down""")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--orders", type=int, default=160_000, help="generated orders beside the real ones")
    parser.add_argument("--down", action="store_true", help="take the demo down")
    args = parser.parse_args()
    try:
        target = chosen()
        if args.down:
            with step("taking the demo down"):
                target.down()
            return 0
        install(target)
        room(target, args.orders)
        code = prove(target, args.orders, int(time.time()) // 60 - FIRST_MINUTE)
        look_around(target)
    except MissingError as missing:
        say(str(missing))
        return 3
    except (DemoError, StepError) as failed:
        say(f"the demo can't go on: {failed}")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
