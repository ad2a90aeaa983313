# SPDX-License-Identifier: Apache-2.0
"""What ships, what a platform may declare beside it, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from cairn.api.dataset import Dataset
from cairn.api.platform import Platform
from cairn.datasets import known, shipped
from cairn.push.kind import PushSubscriptionKind

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "helm" / "datasets.yaml"


def payments(**changes: Any) -> dict[str, Any]:
    found = next(one for one in yaml.safe_load(EXAMPLE.read_text())["datasets"] if one["name"] == "payments")
    return {**copy.deepcopy(found), **changes}


def test_shipped_are_the_four() -> None:
    assert list(shipped()) == ["items", "members", "refunds", "trades"]


def test_items_keep_the_delete_flag_where_old_software_knows_it() -> None:
    assert shipped()["items"].column_names == (
        "num_iid", "nick", "approve_status", "has_showcase", "created", "modified", "cid", "has_discount",
        "jdp_hashcode", "jdp_response", "jdp_delete", "jdp_created", "jdp_modified", "jdp_version", "jdp_seq",
    )  # fmt: skip


def test_example_is_known_beside_those_that_ship() -> None:
    declared = Platform.model_validate(yaml.safe_load(EXAMPLE.read_text())).datasets
    assert set(known(declared)) == {
        *shipped(), "traffic", "advertising", "payments", "warehouse", "transport",
    }  # fmt: skip
    assert known(declared)["payments"].personal == {"payer"}
    assert known(()) == shipped()


def test_operator_does_not_start_with_a_dataset_in_the_way_of_another() -> None:
    with pytest.raises(ValueError, match=r"datasets\[0\]\.name: trades ships with Cairn"):
        PushSubscriptionKind(Platform.model_validate({"datasets": [payments(name="trades")]}))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        pytest.param({}, "datasets[1].name: payments is declared twice", id="twice"),
        pytest.param({"name": "more"}, "datasets[1].table: jdp_tb_payment is that of payments", id="table"),
        pytest.param(
            {"name": "more", "table": "jdp_tb_more"},
            "datasets[1].indexes: ind_jdp_tb_payment_jdp_modified is an index of payments",
            id="index",
        ),
        pytest.param(
            {"name": "more", "table": "jdp_tb_trade"}, "datasets[1].table: jdp_tb_trade is that of trades", id="shipped"
        ),
    ],
)
def test_known_refuses_two_that_clash(second: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        known([Dataset.model_validate(payments()), Dataset.model_validate(payments(**second))])
    assert str(refused.value).startswith(told)


def test_known_refuses_a_second_dataset_with_orders() -> None:
    with pytest.raises(ValueError, match=r"datasets\[0\]\.order: trades holds the orders"):
        known([Dataset.model_validate(payments(order="tid"))])


INDEXES = payments()["indexes"]
COLUMNS = payments()["columns"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"owner": "tid"}, "owner: 'tid' is a bigint", id="owner-type"),
        pytest.param({"owner": "nick"}, "owner: no stored column 'nick'", id="owner"),
        pytest.param({"key": "status"}, "key: 'status' is a varchar(64): it must be a bigint", id="key-type"),
        pytest.param({"created": "tid"}, "created: 'tid' is a bigint: it must be a timestamp", id="created"),
        pytest.param({"deleted": "status"}, "deleted: 'status' must be a stored column of type int", id="deleted"),
        pytest.param({"deleted": "gone"}, "deleted: 'gone' must be a stored column", id="deleted-absent"),
        pytest.param({"buyer": {"ouid": "ouid"}}, "buyer.ouid: no view column 'ouid'", id="buyer"),
        pytest.param({"indexes": INDEXES[:3]}, "indexes: none begins with jdp_seq", id="no-seq"),
        pytest.param({"indexes": INDEXES[:2] + INDEXES[3:]}, "indexes: none begins with modified", id="no-modified"),
        pytest.param(
            {"indexes": [*INDEXES, {"name": "big", "columns": ["jdp_response"]}]}, "indexes: big: jdp_resp", id="whole"
        ),
        pytest.param(
            {"columns": [*COLUMNS, {"name": "note", "type": "varchar(900)"}],
             "indexes": [*INDEXES, {"name": "long", "columns": ["note"]}]},
            "indexes: long: more than 700 characters", id="wide-index",
        ),
        pytest.param(
            {"columns": [*COLUMNS, {"name": "jdp_mine", "type": "int"}]}, "columns: 'jdp_mine': names", id="own"
        ),
        pytest.param({"columns": [*COLUMNS, {"name": "jdp_seq", "type": "int"}]}, "columns: declared twice", id="tail"),
        pytest.param(
            {"columns": [*COLUMNS, *({"name": f"c{n}", "type": "varchar(9999)"} for n in range(2))]},
            "columns: more than 12000 characters", id="wide-row",
        ),
        pytest.param({"table": "jdp_shop"}, "table", id="table-of-cairn"),
        pytest.param({"envelope": []}, "envelope", id="no-envelope"),
        pytest.param({"name": "Payments"}, "name", id="name"),
        pytest.param({"kei": "tid"}, "kei", id="unknown-field"),
    ],
)  # fmt: skip
def test_dataset_that_cannot_work_is_refused_with_the_field(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Dataset.model_validate(payments(**change))
    first = refused.value.errors()[0]
    said = first["msg"].removeprefix("Value error, ")
    assert said.startswith(told) or first["loc"][0] == told
