# SPDX-License-Identifier: Apache-2.0
"""What kind of trouble an error of MySQL or MariaDB is, without the values that its message may quote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql

from cairn.sql.push.fault import Fault, WriteError

_TRANSIENT = frozenset(
    {0, 1040, 1053, 1158, 1159, 1160, 1161, 1180, 1203, 1205, 1213, 1226, 1290, 1317, 1792, 1836, 1927, 1969}
    | {2002, 2003, 2006, 2013, 2014, 2055, 3024, 3032, 3572, 4031}
)
_ROW = frozenset((1062, 1292, 1366, 1411, 1690, 3819, 4025))
"""Not 1406, 1264, 1048 and 1364: the decoder holds every value to its descriptor, so a table that refuses one is not
the table of the descriptor any more. Nor 1153 and 1301: max_allowed_packet is too small for the records.
"""


def kind_of(number: int) -> Fault:
    """What nobody foresaw holds the lane: it must not cost a record."""
    if number in _TRANSIENT:
        return Fault.TRANSIENT
    return Fault.ROW if number in _ROW else Fault.DESTINATION


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver as WriteError."""
    try:
        yield
    except pymysql.err.MySQLError as error:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = str(error.args[1]) if len(error.args) > 1 else type(error).__name__
        told = re.sub(r"(?<!column )(?<!table )'(?:[^'\\]|\\.)*'", "'…'", text)
        raise WriteError(kind_of(number), str(number), told[:500]) from error
