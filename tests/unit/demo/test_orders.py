# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict

from demo.orders import RUN_KEYS, Stream
from demo.retail import SAMPLE, invoices


def test_invoices_sample_has_orders_and_cancellations() -> None:
    found = invoices()
    cancelled = [one for one in found if one.cancelled]

    assert SAMPLE.stat().st_size <= 300_000
    assert len(cancelled) == 43
    assert len(found) - len(cancelled) > 200
    assert all(line.quantity > 0 for one in cancelled for line in one.lines)


def test_invoices_cancellation_names_the_order_of_the_same_customer_and_article() -> None:
    found = {(one.cancelled, one.number): one for one in invoices()}
    matched = [
        (one, line, found[False, number])
        for one in found.values()
        for line, (number, _) in zip(one.lines, one.of, strict=one.cancelled)
        if (False, number) in found
    ]

    assert matched
    for one, line, order in matched:
        assert order.customer == one.customer
        assert line.code in {ordered.code for ordered in order.lines}


def test_stream_same_seed_gives_the_same_records() -> None:
    first, second, other = Stream(200, run=7), Stream(200, run=7), Stream(200, run=7, seed=2)

    assert list(first) == list(second)
    assert [one.key for one in first] != [one.key for one in other]


def test_stream_length_is_what_it_says() -> None:
    stream = Stream(100, run=1)

    assert len(list(stream)) == len(stream)


def test_stream_keys_stay_within_their_run_and_oids_within_a_bigint() -> None:
    keys = {one.key for one in Stream(300, run=9_000_000) if one.key is not None}

    assert min(keys) >= 9_000_000 * RUN_KEYS
    assert max(keys) < 9_000_001 * RUN_KEYS
    assert max(keys) * 1000 + 999 < 2**63


def test_stream_versions_of_a_key_differ_in_modified_and_repeats_in_nothing() -> None:
    lines: dict[tuple[str, int], dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    for one in Stream(300, run=3):
        if one.key is not None and one.kind != "poison":
            lines[one.dataset, one.key][one.modified].add(one.line)

    assert all(len(same) == 1 for versions in lines.values() for same in versions.values())
    assert {len(versions) for versions in lines.values()} == {2, 3, 4}


def test_stream_is_shuffled_and_partly_repeated() -> None:
    sent = [(one.dataset, one.key, one.modified) for one in Stream(500, run=3) if one.kind != "poison"]
    repeated = sum(times > 1 for times in Counter(sent).values())
    backwards = sum(
        a[2] > b[2] for key in {one[:2] for one in sent} for a, b in itertools.pairwise(s for s in sent if s[:2] == key)
    )

    assert 0.03 < repeated / len(sent) < 0.09
    assert backwards > len(sent) / 10


def test_stream_datasets_and_kinds_are_all_there() -> None:
    kinds = Counter((one.dataset, one.kind) for one in Stream(50, run=3))

    assert kinds["trades", "poison"] == 12
    assert kinds["refunds", "real"] > 300
    assert kinds["trades", "real"] > 900
    assert kinds["trades", "generated"] > 100


def test_stream_envelope_agrees_with_the_record() -> None:
    for one in Stream(50, run=3):
        if one.kind == "poison":
            continue
        (response,) = json.loads(one.line).values()
        (body,) = response.values()
        key = "tid" if one.dataset == "trades" else "refund_id"
        assert (int(body[key]), body["modified"], body["seller_nick"]) == (one.key, one.modified, "taobao001")
        assert body["payment"].count(".") == 1


def test_stream_newest_is_what_is_sent_last_of_each_key_but_for_the_unpushed() -> None:
    stream = Stream(3000, run=3)
    sent: dict[tuple[str, int | None], str] = {}
    for one in stream:
        if one.kind != "poison":
            sent[one.dataset, one.key] = max(one.modified, sent.get((one.dataset, one.key), ""))
    newest = {(one.dataset, one.key): one for one in stream.newest()}

    differing = {key for key, one in newest.items() if one.modified != sent.get(key)}

    assert newest.keys() == sent.keys(), "of what the platform has, something is pushed of each"
    assert {newest[key].kind for key in differing} == {"unpushed"}
    assert len(differing) == 3 == sum(one.kind == "unpushed" for one in newest.values())
    assert all(newest[key].modified > sent[key] for key in differing)
