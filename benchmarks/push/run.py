# SPDX-License-Identifier: Apache-2.0
"""`make bench-push`: the push plane's speed into build/bench/push.json, with a picture beside it.

Everything is measured in one run on one server, in turns with what it is compared to; see `contests`, `sellers` and
`end_to_end`. A ratio says more than a rate: rates are those of this machine and of what else runs on it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import end_to_end
import mariadb
import redpanda
import sellers
from contests import Bench
from ground import TREE, postgresql, seller
from plot import svg

BUILD = TREE / "build" / "bench"


def said(what: str, found: Any) -> None:
    print(f"  {what}: {json.dumps(rounded(found))}", file=sys.stderr, flush=True)


def rounded(found: Any) -> Any:
    """Four significant digits."""
    if isinstance(found, dict):
        return {name: rounded(value) for name, value in found.items()}
    return float(f"{found:.4g}") if isinstance(found, float) else found


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    load = os.getloadavg()[0]
    with postgresql() as admin:
        target, conn = await seller(admin, "contest")
        bench = Bench(target, conn, args.rows, args.batch)
        new: dict[str, Any] = {}
        for writers in (1, 2, 4):
            new[f"writers_{writers}"] = await bench.new(writers, args.rounds)
            said(f"new rows, {writers} writers", new[f"writers_{writers}"])
        new["best_ratio"] = max(part["ratio"] for part in new.values())
        updates = await bench.updates(args.rounds)
        said("updates", updates)
        await bench.close()
        await conn.close()
        many = {}
        for count in (1, 8, 64):
            many[str(count)] = await sellers.measure(admin, args.rows, count, 1 if count == 64 else 3)
            said(f"{count} sellers", many[str(count)])
        beside = await redpanda.measure(admin, args.rows, args.batch, args.rounds)
        said("beside Redpanda Connect", beside)
        plane = await end_to_end.measure(admin, args.rows, args.seconds)
        said("end to end", plane)
    other = await mariadb.measure(args.rows // 3, args.batch // 3, args.rounds)
    said("MariaDB", other)
    machine = {"cores": os.cpu_count(), "load_before": load, "load_after": os.getloadavg()[0]}
    how = {"rows": args.rows, "batch": args.batch, "rounds": args.rounds, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
    return {
        "postgresql": {"new": new, "updates": updates},
        "mariadb": other,
        "redpanda_connect": beside,
        **plane,
        "sellers": many,
        "machine": machine,
        "how": how,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the push plane.")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--batch", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long latency is measured")
    args = parser.parse_args()
    found = rounded(asyncio.run(measure(args)))
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "push.json").write_text(json.dumps(found, indent=1) + "\n")
    (BUILD / "push.svg").write_text(svg(found))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
