# SPDX-License-Identifier: Apache-2.0
"""Faults that the push plane must never have, each as a change of its text and the test that must notice.

An edit's old text stands exactly once in its file. Whoever changes such a line changes it here as well, or the
catalogue's own test says so.
"""

from __future__ import annotations

from dataclasses import dataclass

LANE = "operator/cairn/worker/lane.py"
APPLY = "operator/cairn/worker/apply.py"
FAULTS = "operator/cairn/worker/faults.py"
BACKFILL = "operator/cairn/worker/proof/backfill.py"
HORIZON = "operator/cairn/worker/horizon.py"
COMPARE = "operator/cairn/worker/proof/compare.py"
ROWS = "operator/cairn/sql/push/rows.py"
WRITER = "operator/cairn/sql/push/postgresql/writer.py"
UPSERT = "operator/cairn/sql/push/postgresql/upsert.py"
MYSQL = "operator/cairn/sql/push/mysql/upsert.py"
MYSQL_WRITER = "operator/cairn/sql/push/mysql/writer.py"
SQLSERVER = "operator/cairn/sql/push/sqlserver/upsert.py"
ADMIN = "operator/cairn/bus/admin.py"
PUBLISH = "operator/cairn/bus/publish.py"
MEMBER = "operator/cairn/pool/member.py"
WORKER_RUN = "operator/cairn/worker/run.py"
GATEWAY_BUS = "operator/cairn/gateway/bus.py"

TEST_WRITER = "tests/data/test_sql_writer.py"
TEST_APPLY = "tests/unit/worker/test_apply.py"
TEST_BUS = "tests/data/test_bus.py"
TEST_PROOF = "tests/data/proof/test_proof.py"
TEST_RETENTION = "tests/data/proof/test_retention.py"
TEST_OUTAGES = "tests/chaos/test_push_outages.py"
ANY_BATCHES = f"{TEST_WRITER}::test_write_of_any_batches_leaves_the_newest_of_each_key"
MEANWHILE = f"{TEST_WRITER}::test_write_of_what_another_writer_committed_meanwhile_changes_nothing"


@dataclass(frozen=True)
class Mutant:
    """test: what must go red, as pytest names it. edits: (file, old text, new text)."""

    name: str
    test: str
    edits: tuple[tuple[str, str, str], ...]


def mutant(name: str, test: str, file: str, *texts: str) -> Mutant:
    """texts: old and new in turn, all of one file."""
    return Mutant(name, test, tuple((file, old, new) for old, new in zip(texts[::2], texts[1::2], strict=True)))


_T, _E, _S = "_order('t', modified)", "_order('EXCLUDED', modified)", "_order('s', modified)"
_BATCH = "        total = await self.applier.apply(rows, poison)\n        took"
_ORDER = """    return f"(coalesce({row}.{modified}, {_OLDEST}), coalesce({row}.jdp_version, 0), {hashed})\""""
_GIVEN = "        row = await conn.fetchrow(CURSOR, self._dataset.table, count, self._given.last)\n"
_REQUEST = "        reply = await client.request(pack.subject, encode(pack), timeout=timeout, headers=headers)\n"

MUTANTS = (
    mutant(
        "ack before commit",
        "tests/faults/test_worker_killed.py::test_worker_killed_at[before-commit]",
        LANE,
        _BATCH,
        "        await self._acknowledge([held for held, _ in taken])\n" + _BATCH,
        "        await self._acknowledge([held for held, _ in taken])\n\n    def _count",
        "\n    def _count",
    ),
    mutant(
        "ack of a whole fetch after a part of it is committed",
        f"{TEST_APPLY}::test_apply_of_a_batch_with_poison_writes_the_others_and_keeps_its_bytes",
        APPLY,
        "            work.total.add(written)\n",
        "            work.total.add(written)\n            work.parts.clear()\n",
    ),
    mutant(
        "no guard",
        MEANWHILE,
        UPSERT,
        f"""WHERE {{{_T}}} < {{{_E}}} RETURNING""",
        "WHERE true RETURNING",
        f""" AND {{{_T}}} < {{{_S}}}\"""",
        '"',
    ),
    mutant(
        "guard without NULL handling",
        ANY_BATCHES,
        UPSERT,
        _ORDER,
        """    return f"({row}.{modified}, {row}.jdp_version, {row}.jdp_hashcode)\"""",
    ),
    mutant(
        "guard lets the same in again",
        MEANWHILE,
        UPSERT,
        f"""WHERE {{{_T}}} < {{{_E}}} RETURNING""",
        f"""WHERE {{{_T}}} <= {{{_E}}} RETURNING""",
    ),
    mutant(
        "guard on modified only",
        ANY_BATCHES,
        UPSERT,
        _ORDER,
        """    return f"(coalesce({row}.{modified}, {_OLDEST}), 0, '')\"""",
    ),
    mutant(
        "guard on jdp_modified",
        MEANWHILE,
        UPSERT,
        _ORDER,
        """    return f"(coalesce({row}.jdp_modified, {_OLDEST}), 0, '')\"""",
    ),
    mutant(
        "hash compared as a language sorts",
        f"{TEST_WRITER}::test_write_goes_by_the_bytes_of_a_hash_whatever_the_collation_of_its_column",
        UPSERT,
        """, '') COLLATE \\"C\\"\"""",
        """, '')\"""",
    ),
    mutant(
        "of one key in a batch the last stays, not the newest",
        "tests/unit/sql/test_rows.py::test_newest_is_one_row_a_key_whatever_the_order",
        ROWS,
        "        if other is None or other.order < row.order:",
        "        if other is None or other is not row:",
    ),
    mutant(
        "what decides is assigned first (MySQL)",
        "tests/data/engines/test_push_writer.py::test_write_of_any_batches_leaves_the_newest_of_each_key",
        MYSQL,
        "for name in (*plain, *decide)]",
        "for name in (*reversed(decide), *plain)]",
    ),
    mutant(
        "warnings of LOAD DATA ignored (MySQL)",
        "tests/data/engines/test_push_writer.py::test_row_that_does_not_fit_is_refused_and_not_cut",
        MYSQL_WRITER,
        "_lines(rows, base, start)) == (len(rows), 0):",
        "_lines(rows, base, start)):",
    ),
    mutant(
        "guard without NULL handling (SQL Server)",
        "tests/unit/sql/test_push_sqlserver_guard.py::test_of_all_pairs_of_old_and_new_the_newer_stands",
        SQLSERVER,
        "(t.{modified} IS NULL OR t.{modified} < s.{modified} OR",
        "(t.{modified} < s.{modified} OR",
    ),
    mutant(
        "stage keeps the rows of the batch before",
        f"{TEST_WRITER}::test_write_after_a_batch_of_newer_rows_takes_new_gone_and_older_ones_as_well",
        UPSERT,
        "ON COMMIT DELETE ROWS",
        "ON COMMIT PRESERVE ROWS",
    ),
    mutant(
        "an error is swallowed and the batch acknowledged",
        f"{TEST_APPLY}::test_apply_through_trouble_that_passes_writes_all_and_quarantines_only_for_the_row",
        APPLY,
        "                kind = fault(error)\n",
        "                kind = fault(error)\n                return work.total\n",
    ),
    mutant(
        "quarantine without the bytes",
        f"{TEST_APPLY}::test_apply_of_a_batch_with_poison_writes_the_others_and_keeps_its_bytes",
        APPLY,
        "payload = row.values[-1].encode()",
        'payload = b""',
    ),
    mutant(
        "quarantine outside the transaction",
        f"{TEST_WRITER}::test_write_keeps_poison_once_and_in_the_same_transaction",
        WRITER,
        "            kept = await conn.fetch(QUARANTINE",
        "        kept = await conn.fetch(QUARANTINE",
    ),
    mutant(
        "trouble that passes taken for a bad record",
        f"{TEST_APPLY}::test_apply_through_trouble_that_passes_writes_all_and_quarantines_only_for_the_row",
        FAULTS,
        "        if state.startswith(_TRANSIENT):\n            return Fault.TRANSIENT",
        "        if state.startswith(_TRANSIENT):\n            return Fault.ROW",
    ),
    mutant(
        "one queue for all lanes",
        f"{TEST_OUTAGES}::test_table_that_was_changed_holds_the_lane_and_quarantines_nothing[right-taken-away]",
        LANE,
        "log = logging.getLogger(__name__)\n",
        "log = logging.getLogger(__name__)\n_ONE = asyncio.Lock()\n",
        _BATCH,
        "        async with _ONE:\n            total = await self.applier.apply(rows, poison)\n        took",
    ),
    mutant(
        "no byte budget",
        "tests/unit/worker/test_service.py::test_budget_makes_wait_until_there_is_room",
        LANE,
        "        while self.limit - self.bytes < at_least or len(self.held) >= messages:",
        "        while len(self.held) >= messages:",
    ),
    mutant(
        "numbers given out as by a sequence, in no order of COMMIT",
        f"{TEST_WRITER}::test_reader_that_follows_jdp_seq_misses_nothing_of_two_writers",
        WRITER,
        _GIVEN,
        "        other = await connect(self._target())\n"
        "        row = await other.fetchrow(CURSOR, self._dataset.table, count, self._given.last)\n"
        "        await other.close()\n",
    ),
    mutant(
        "history beats what is pushed",
        f"{TEST_PROOF}::test_history_never_beats_what_was_pushed_in_the_same_second",
        BACKFILL,
        "order=(row.order[0], 1, row.order[2])",
        "order=(row.order[0], 2**62, row.order[2])",
    ),
    mutant(
        "history read by pages that do not go on from a key",
        f"{TEST_PROOF}::test_history_is_brought_in_and_proven",
        BACKFILL,
        "feed.dataset.name, *span, progress.at, limit)",
        "feed.dataset.name, *span, None, limit)",
    ),
    mutant(
        "audit by count alone",
        "tests/unit/worker/proof/test_compare.py::test_whatever_differs_by_count_or_sum_holds_a_suspect",
        COMPARE,
        "    return sorted(start for start in there.keys() | here.keys() if there.get(start) != here.get(start))",
        "    return sorted(\n"
        "        start\n"
        "        for start in there.keys() | here.keys()\n"
        "        if getattr(there.get(start), 'count', 0) != getattr(here.get(start), 'count', 0)\n"
        "    )",
    ),
    mutant(
        "a held lane never says that it runs again",
        f"{TEST_APPLY}::test_apply_that_is_held_says_so_until_the_database_is_mended",
        APPLY,
        "        self.held = None\n        self._lane.breaker.set(0)",
        "        self._lane.breaker.set(0)",
    ),
    mutant(
        "attempts counted as rows",
        f"{TEST_APPLY}::test_apply_that_fails_half_way_writes_and_counts_each_record_once",
        APPLY,
        "                if fault(error) is not Fault.ROW or not rows:",
        "                work.total.inserted += len(rows)\n"
        "                if fault(error) is not Fault.ROW or not rows:",
    ),
    mutant(
        "202 before the bus has it",
        f"{TEST_BUS}::test_publish_into_a_full_stream_is_refused_and_drops_nothing",
        PUBLISH,
        _REQUEST,
        "        await client.publish(pack.subject, encode(pack), headers=headers)\n        return False\n" + _REQUEST,
    ),
    mutant(
        "given up after five deliveries",
        f"{TEST_BUS}::test_puller_that_gives_back_again_and_again_gets_it_every_time",
        ADMIN,
        '"max_deliver": -1,',
        '"max_deliver": 5,',
    ),
    mutant(
        "what is older than a week expires on the bus",
        f"{TEST_BUS}::test_ensure_stream_that_expires_messages_is_mended",
        ADMIN,
        '"max_age": 0,',
        '"max_age": 7 * 86400 * _SECOND,',
    ),
    mutant(
        "no quota per seller",
        "tests/data/test_quota.py::test_seller_whose_backlog_is_full_is_refused_alone_until_it_is_drained",
        GATEWAY_BUS,
        "        if (seller := seller_of(pack.subject)) in self.full:\n",
        "        if (seller := seller_of(pack.subject)) in ():\n",
    ),
    mutant(
        "retention ignores the time zone",
        "tests/unit/worker/test_horizon.py::test_horizon_is_a_midnight_of_the_platforms_own_clock",
        HORIZON,
        "datetime.fromtimestamp(unix, PLATFORM_ZONE)",
        "datetime.fromtimestamp(unix, ZoneInfo('UTC'))",
    ),
    mutant(
        "what retention took is brought in again",
        f"{TEST_RETENTION}::test_what_is_older_goes_and_is_neither_missing_nor_brought_back",
        BACKFILL,
        "        kept = await book.horizon(feed.dataset, feed.shop) or progress.since\n",
        "        kept = progress.since\n",
        "        kept = await book.horizon(feed.dataset, feed.shop) or kept\n",
        "",
    ),
    mutant(
        "a row that was written while it was to go is deleted",
        f"{TEST_RETENTION}::test_row_that_is_written_while_it_is_to_go_stays",
        "operator/cairn/sql/push/postgresql/retention.py",
        "WHERE {old} AND {key} = ANY($4)",
        "WHERE h.table_name = $1 AND h.shop_id = $2 AND t.{identifier(dataset.owner)} = $3 AND {key} = ANY($4)",
    ),
    mutant(
        "a member that leaves renews nothing while its workers end",
        "tests/cluster/test_pool.py::test_members_come_die_and_go_and_the_subscription_moves_out_without_loss",
        MEMBER,
        "                await self._renew(leases.slot(lease))\n            elif mine:\n",
        "                continue\n            elif mine:\n",
    ),
    mutant(
        "the slower of two members has the Lease as well",
        "tests/cluster/test_pool.py::test_of_two_members_who_take_one_lease_the_slower_one_has_it_not",
        "operator/cairn/pool/leases.py",
        "    found = copy.deepcopy(lease)\n    old = found",
        "    found = copy.deepcopy(lease)\n    found['metadata'].pop('resourceVersion')\n    old = found",
    ),
    mutant(
        "a worker whose member died goes on until it has finished",
        "tests/unit/pool/test_child.py::test_child_whose_member_died_ends_without_finishing_anything",
        WORKER_RUN,
        "        _end_with_parent()\n",
        "        loop.add_reader(sys.stdin, worker.stop)\n",
    ),
    mutant(
        "a worker whose connection is closed under way reads no more and looks alive",
        "tests/unit/worker/test_service.py::test_worker_whose_supply_ends_by_itself_ends",
        "operator/cairn/worker/service.py",
        "(stop, supply, keep, *lanes)",
        "(stop,)",
    ),
    mutant(
        "what nats-py cancels ends the task that waits",
        "tests/unit/bus/test_uncancelled.py::test_future_that_another_cancels_is_a_lost_connection",
        "operator/cairn/bus/connection.py",
        "        if task is None or task.cancelling():\n",
        "        if task:\n",
    ),
)
