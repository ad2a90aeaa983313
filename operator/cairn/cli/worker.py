# SPDX-License-Identifier: Apache-2.0
"""`cairn worker`: write one subscription's records into its database."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
import threading
from pathlib import Path

from cairn.worker.config import WorkerConfig
from cairn.worker.run import serve

STACK_BYTES = 1024 * 1024
"""Of a thread, where memory is bounded by what is reserved: eight times as much would count, by default."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, help="the worker's configuration (JSON)")
    parser.add_argument("--socket", type=Path, help="serve HTTP on this socket alone, and end when standard input does")


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = WorkerConfig.load(args.config)
    except (OSError, ValueError) as error:
        print(f"cairn worker: {args.config}: {error}", file=sys.stderr)
        return 2
    if args.socket:
        threading.stack_size(STACK_BYTES)
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # rows are many, short-lived and free of cycles
    try:
        asyncio.run(serve(config, socket=args.socket))
    except OSError as error:
        print(f"cairn worker: {error}", file=sys.stderr)
        return 1
    return 0
