# SPDX-License-Identifier: Apache-2.0
"""What kind of trouble an error of SQL Server is, without the values that its message may quote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytds

from cairn.sql.push.fault import Fault, WriteError

TAKEN = frozenset((2601, 2627))
"""Another session was faster with a key that was new a moment ago; or the row breaks a unique index of the seller's."""

_TRANSIENT = frozenset(
    {0, 64, 233, 596, 601, 701, 802, 921, 922, 924, 927, 976, 978, 983, 1204, 1205, 1222, 3906, 3908, 3960, 4060, 4221}
    | {5063, 6002, 6005, 8628, 8645, 8651, 8902, 10053, 10054, 10060, 10928, 10929, 11001, 17197, 17830, 18401}
    | {40143, 40197, 40501, 40549, 40550, 40613, 41301, 41302, 41305, 41325, 42108, 42109, 49918, 49919, 49920}
)
_ROW = TAKEN | {241, 242, 245, 547, 8114}
"""Not 2628, 8152, 8115, 220 and 515: the decoder holds every value to its descriptor, so a table that refuses one is
not the table of the descriptor any more. Nor 1105, 1101 and 9002: the disk or the log is full.
"""


def kind_of(number: int) -> Fault:
    """What nobody foresaw holds the lane: it must not cost a record."""
    if number in _TRANSIENT:
        return Fault.TRANSIENT
    return Fault.ROW if number in _ROW else Fault.DESTINATION


def told(error: pytds.DatabaseError) -> str:
    """The server's message as far as the first value that it quotes."""
    return re.sub(r"(value(?:s| is|:)?) ?['(].*", r"\1 …", str(error.text), flags=re.DOTALL)[:500]


@contextmanager
def translated() -> Iterator[None]:
    """Errors of the driver as WriteError."""
    try:
        yield
    except pytds.DatabaseError as error:
        raise WriteError(kind_of(error.msg_no), str(error.msg_no), told(error)) from error
    except pytds.Error as error:
        raise WriteError(Fault.DESTINATION, type(error).__name__, "the driver could not send a value") from error
