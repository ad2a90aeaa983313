# SPDX-License-Identifier: Apache-2.0
"""`cairn platform-sim`: a platform to try Cairn against, with orders of its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import asyncpg
from aiohttp import web

from cairn.datasets import shipped
from cairn.platform_sim.app import Application
from cairn.platform_sim.book import Book
from cairn.platform_sim.play import Play
from cairn.platform_sim.push import Pusher
from cairn.sql.push.postgresql.oversold import oversold


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", default="127.0.0.1:8090", help="address to serve on (default: %(default)s)")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file with its records; made if missing")
    parser.add_argument("--key-file", type=Path, required=True, help="the platform's key, of which sellers' are made")
    parser.add_argument("--seller", required=True, help="id of the seller")
    parser.add_argument("--gateway", help="push to this gateway (URL)")
    parser.add_argument("--gateway-key-file", type=Path, help="key that pushes are signed with")
    parser.add_argument("--shop", default="55501=taobao001", help="ID=NICK of the shop (default: %(default)s)")
    parser.add_argument(
        "--orders", type=int, default=0, help="play Double 11 with so many orders in four versions each"
    )
    parser.add_argument(
        "--withhold", type=float, default=0.0, help="share of those versions whose push is lost, 0 to 1 (default: 0)"
    )
    parser.add_argument("--items", type=int, default=0, help="so many items, of which the orders are (default: none)")
    parser.add_argument("--stock", type=int, default=100, help="units of each item (default: %(default)s)")
    parser.add_argument(
        "--seller-database-file",
        type=Path,
        help="file with the URL of the seller's PostgreSQL, for a reader: its figure of oversold units stands in"
        " /sim/SELLER/SHOP/report beside the platform's",
    )
    parser.add_argument("--day", type=datetime.fromisoformat, help="day of those orders (default: a week ago)")


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    host, _, port = args.listen.rpartition(":")
    shop, _, nick = args.shop.partition("=")
    if not port.isdigit() or not nick:
        print("cairn platform-sim: --listen HOST:PORT and --shop ID=NICK are wanted", file=sys.stderr)
        return 2
    if bool(args.gateway) != bool(args.gateway_key_file):
        print("cairn platform-sim: --gateway and --gateway-key-file go together", file=sys.stderr)
        return 2
    if not 0 <= args.withhold <= 1:
        print(f"cairn platform-sim: --withhold {args.withhold} is no share: 0 to 1", file=sys.stderr)
        return 2
    try:
        asyncio.run(_serve(args, host.strip("[]"), int(port), shop, nick))
    except (OSError, ValueError) as error:
        print(f"cairn platform-sim: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(args: argparse.Namespace, host: str, port: int, shop: str, nick: str) -> None:
    book = Book(args.database, dict(shipped()))
    url = args.seller_database_file.read_text().strip() if args.seller_database_file else ""
    made = Application(
        book, args.key_file.read_bytes().strip(), {args.seller}, (lambda: _oversold(url, nick)) if url else None
    )
    runner = web.AppRunner(made.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tasks = []
    if args.gateway:
        pusher = Pusher(book, args.gateway, args.seller, args.gateway_key_file.read_bytes().split()[0])
        tasks.append(asyncio.create_task(pusher.run()))
    if args.orders:
        play = Play(
            args.orders, nick, args.day or _week_ago(), withheld=args.withhold, items=args.items, stock=args.stock
        )
        tasks.append(asyncio.create_task(_play(book, shop, play)))
    try:
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks)
        await runner.cleanup()
        book.close()


async def _play(book: Book, shop: str, play: Play) -> None:
    book.take("items", shop, play.stocked())
    told = iter(play)
    while some := list(islice(told, 1000)):
        for push in (False, True):
            book.take("trades", shop, [payload for payload, pushed in some if pushed is push], push=push)
        await asyncio.sleep(0)


async def _oversold(url: str, nick: str) -> int:
    conn = await asyncpg.connect(url, timeout=10)
    try:
        return await oversold(conn, shipped()["trades"], shipped()["items"], nick)
    finally:
        await conn.close()


def _week_ago() -> datetime:
    today = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)  # noqa: DTZ005 -- a wall clock
    return today - timedelta(days=7)
