# SPDX-License-Identifier: Apache-2.0
"""What an error of MySQL or MariaDB is taken for, and what may be told of it."""

from __future__ import annotations

import pymysql
import pytest

from cairn.sql.push.fault import Fault, WriteError
from cairn.sql.push.mysql.faults import kind_of, translated
from cairn.worker.faults import code, fault


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1205, Fault.TRANSIENT),
        (1213, Fault.TRANSIENT),
        (2013, Fault.TRANSIENT),
        (1290, Fault.TRANSIENT),
        (1366, Fault.ROW),
        (4025, Fault.ROW),
        (1021, Fault.DESTINATION),
        (1114, Fault.DESTINATION),
        (1142, Fault.DESTINATION),
        (1146, Fault.DESTINATION),
        (1153, Fault.DESTINATION),
        (1406, Fault.DESTINATION),
        (99999, Fault.DESTINATION),
    ],
)
def test_error_is_of_the_kind_that_keeps_records_safe(number: int, kind: Fault) -> None:
    assert kind_of(number) is kind


def test_told_of_an_error_is_no_value_of_the_row() -> None:
    quoted = "Incorrect string value: '\\xE5\\xBC\\'a' for column 'status' at row 1"
    with pytest.raises(WriteError) as told, translated():
        raise pymysql.err.DataError(1366, quoted)
    assert str(told.value) == "Incorrect string value: '…' for column 'status' at row 1"
    assert (fault(told.value), code(told.value)) == (Fault.ROW, "1366")
