# SPDX-License-Identifier: Apache-2.0
"""Records that can't become a row. Some the gateway refuses with a reason, the others must end in quarantine."""

from __future__ import annotations

GOOD = '"status":"WAIT_BUYER_PAY","type":"fixed","buyer_nick":"b","created":"2026-11-01 00:00:00"'
DAY = '"modified":"2026-11-01 00:00:00"'

LINES = (
    "this is no JSON",
    '{"trade_fullinfo_get_response":{"trade":{"tid":',
    '{"trade_fullinfo_get_response":{}}',
    '{"refund_get_response":{"refund":{"refund_id":"1"}}}',
    '{"trade_fullinfo_get_response":{"trade":{"seller_nick":"NICK",DAY,GOOD}}}',
    '{"trade_fullinfo_get_response":{"trade":{"tid":KEY,"seller_nick":"NICK",GOOD}}}',
    '{"trade_fullinfo_get_response":{"trade":{"tid":KEY,"seller_nick":"NICK","modified":"yesterday",GOOD}}}',
    '{"trade_fullinfo_get_response":{"trade":{"tid":KEY,"seller_nick":"NICK","modified":"2026-02-30 00:00:00",GOOD}}}',
    '{"trade_fullinfo_get_response":{"trade":{"tid":99999999999999999999,"seller_nick":"NICK",DAY,GOOD}}}',
    '{"trade_fullinfo_get_response":{"trade":{"tid":KEY,"seller_nick":"somebody-else",DAY,GOOD}}}',
    '{"trade_fullinfo_get_response":{"trade":{"tid":KEY,"seller_nick":"somebody-else-again",DAY,GOOD}}}',
    '{"trade_fullinfo_get_response":{"trade":{"tid":KEY,"seller_nick":"NICK","buyer_memo":"\\u0000",DAY,BAD}}}',
)
"""KEY, NICK, DAY and GOOD are filled in; BAD is GOOD with a NUL character in the buyer's name."""


def records(first_key: int, nick: str) -> list[tuple[int | None, str, bytes]]:
    """(key or None, modified, line) of each. Where the line has no key or no time, the log has none either."""
    made: list[tuple[int | None, str, bytes]] = []
    for number, line in enumerate(LINES):
        key = first_key + number
        text = line.replace("BAD", GOOD.replace('"b"', '"b\\u0000"'))
        text = text.replace("GOOD", GOOD).replace("DAY", DAY).replace("KEY", str(key)).replace("NICK", nick)
        made.append(
            (key if f'"tid":{key}' in text else None, "2026-11-01 00:00:00" if DAY in text else "", text.encode())
        )
    return made
