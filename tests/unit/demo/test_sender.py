# SPDX-License-Identifier: Apache-2.0
"""The sender against a gateway that misbehaves, over real HTTP on loopback."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from demo import sender
from demo.log import Answer, read
from demo.orders import Record, Shop, Stream
from demo.sender import Counts, RefusedError, Sender, batches

KEY = b"a key"
Handler = Callable[[web.Request, list[bytes]], Awaitable[web.Response]]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "BACKOFF_SECONDS", (0.001, 0.002))


def accept(lines: list[bytes], *rejected: int) -> web.Response:
    reasons = [{"line": number, "reason": "no"} for number in rejected]
    body = {"accepted": len(lines) - len(rejected), "rejected": reasons}
    return web.json_response(body, status=202 if body["accepted"] else 400)


async def sent(tmp_path: Path, handler: Handler, records: list[Record]) -> list[Answer]:
    """What the sender's log says after it sent the records to a gateway that answers with `handler`."""

    async def post(request: web.Request) -> web.Response:
        return await handler(request, (await request.read()).splitlines())

    app = web.Application()
    app.router.add_post("/v1/push/{seller}/{shop}/{dataset}", post)
    async with TestServer(app) as server:
        with (tmp_path / "log").open("a") as log:
            one = Sender(str(server.make_url("")).rstrip("/"), KEY, Shop(), log, Counts(len(records)))
            await one.run(records, connections=3)
    return list(read(tmp_path / "log"))


async def test_sender_gateway_accepts_all_logs_each_record_once(tmp_path: Path) -> None:
    records = list(Stream(300, run=1))

    async def handler(_: web.Request, lines: list[bytes]) -> web.Response:
        return accept(lines)

    answers = await sent(tmp_path, handler, records)

    logged = Counter((one.key, one.modified, one.digest) for answer in answers for one in answer.accepted)
    assert logged == Counter((r.key, r.modified, hashlib.md5(r.line).hexdigest()) for r in records)
    assert {answer.attempts for answer in answers} == {1}


async def test_sender_request_is_signed_as_the_gateway_expects(tmp_path: Path) -> None:
    seen: list[bool] = []

    async def handler(request: web.Request, lines: list[bytes]) -> web.Response:
        stamp, body = request.headers["X-Cairn-Timestamp"], await request.read()
        text = f"POST\n{request.path}\n{stamp}\n{hashlib.sha256(body).hexdigest()}"
        expected = hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()
        seen.append(request.headers["X-Cairn-Signature"] == expected and abs(int(stamp) - time.time()) < 5)
        return accept(lines)

    await sent(tmp_path, handler, list(Stream(1, run=1)))

    assert seen
    assert all(seen)


@pytest.mark.parametrize("trouble", ["busy", "broken", "hang-up"])
async def test_sender_gateway_in_trouble_repeats_the_same_bytes_until_accepted(tmp_path: Path, trouble: str) -> None:
    bodies: list[list[bytes]] = []

    async def handler(request: web.Request, lines: list[bytes]) -> web.Response:
        bodies.append(lines)
        if len(bodies) < 4:
            if trouble == "hang-up":
                assert request.transport is not None
                request.transport.close()
            return web.Response(status=503 if trouble == "busy" else 500)
        return accept(lines)

    one = Record("trades", 1, "2026-11-01 00:00:00", b"{}", "real")
    (answer,) = await sent(tmp_path, handler, [one])

    assert bodies == [[b"{}"]] * 4
    assert answer.attempts == 4
    assert len(answer.accepted) == 1


async def test_sender_rejected_lines_are_logged_as_rejected_with_the_reason(tmp_path: Path) -> None:
    async def handler(_: web.Request, lines: list[bytes]) -> web.Response:
        return accept(lines, 2)

    records = [Record("trades", number, "t", b"%d" % number, "real") for number in (7, 8, 9)]
    (answer,) = await sent(tmp_path, handler, records)

    assert [one.key for one in answer.accepted] == [7, 9]
    assert [(one.key, reason) for one, reason in answer.rejected] == [(8, "no")]


async def test_sender_batch_with_nothing_good_is_an_answer_and_not_an_error(tmp_path: Path) -> None:
    async def handler(_: web.Request, lines: list[bytes]) -> web.Response:
        return accept(lines, 1)

    (answer,) = await sent(tmp_path, handler, [Record("trades", None, "", b"bad", "poison")])

    assert (len(answer.accepted), len(answer.rejected)) == (0, 1)


@pytest.mark.parametrize("status", [401, 404, 413])
async def test_sender_answer_that_repetition_won_t_change_ends_it(tmp_path: Path, status: int) -> None:
    async def handler(_: web.Request, __: list[bytes]) -> web.Response:
        return web.Response(status=status, text="why")

    with pytest.RaisesGroup(pytest.RaisesExc(RefusedError, match=f"{status} why")):
        await sent(tmp_path, handler, [Record("trades", 1, "t", b"{}", "real")])


async def test_sender_answer_that_does_not_add_up_ends_it(tmp_path: Path) -> None:
    async def handler(_: web.Request, __: list[bytes]) -> web.Response:
        return web.json_response({"accepted": 5, "rejected": []}, status=202)

    with pytest.RaisesGroup(pytest.RaisesExc(RefusedError, match="accepted says 5")):
        await sent(tmp_path, handler, [Record("trades", 1, "t", b"{}", "real")])


def test_batches_stay_within_the_limits_and_lose_nothing() -> None:
    records = list(Stream(2000, run=1))
    made = list(batches(records))

    assert Counter(record.line for batch in made for record in batch) == Counter(record.line for record in records)
    assert all(len({record.dataset for record in batch}) == 1 for batch in made)
    assert max(map(len, made)) <= 1000
    assert max(sum(len(record.line) + 1 for record in batch) for batch in made) <= 2**20
