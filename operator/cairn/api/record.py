# SPDX-License-Identifier: Apache-2.0
"""How a record is read by its dataset's descriptor: only the members that become columns, never the whole of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from cairn.api.dataset import Dataset

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- the platform's wall clock has no zone
_SECOND = timedelta(seconds=1)

Peek = Callable[[bytes], tuple[Any, ...]]


class BadRecordError(ValueError):
    """A record that can't become a row. `code` groups it, the message says where and why; it quotes no buyer's data."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def peeker(dataset: Dataset, columns: Iterable[str]) -> Peek:
    """A function from a record's bytes to the values of these stored columns, as they stand there; absent is None.

    The whole record is checked to be JSON. Raises BadRecordError: BAD_JSON, or BAD_ENVELOPE where the envelope, the key
    or `modified` is not there or a member is no scalar of its kind.
    """
    required = (dataset.key, dataset.modified)
    fields: list[Any] = []
    for name in columns:
        scalar = int | str if dataset.column(name).type in ("bigint", "int") else str
        fields.append((name, scalar) if name in required else (name, scalar | None, None))
    shape: Any = msgspec.defstruct("Record", fields, kw_only=True, gc=False)
    for member in reversed(dataset.envelope):
        shape = msgspec.defstruct("Envelope", [("inner", shape)], rename={"inner": member}, gc=False)
    decode = msgspec.json.Decoder(shape).decode
    depth = len(dataset.envelope)

    def peek(data: bytes) -> tuple[Any, ...]:
        try:
            found = decode(data)
        except msgspec.ValidationError as error:
            raise BadRecordError("BAD_ENVELOPE", str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRecordError("BAD_JSON", _short(error)) from None
        for _ in range(depth):
            found = found.inner
        return msgspec.structs.astuple(found)

    return peek


def number(name: str, value: int | str, bits: int = 64) -> int:
    """A whole number of at most so many bits, given as a number or as digits. Raises BadRecordError."""
    if isinstance(value, str):
        if not (value.isascii() and value.removeprefix("-").isdigit() and len(value) <= 20):
            raise BadRecordError("BAD_VALUE", f"{name}: not a whole number")
        value = int(value)
    if not -(2 ** (bits - 1)) < value < 2 ** (bits - 1):
        raise BadRecordError("BAD_VALUE", f"{name}: does not fit {bits} bits")
    return value


def wall_clock(name: str, value: str) -> datetime:
    """The platform's `YYYY-MM-DD HH:MM:SS`. Raises BadRecordError."""
    try:
        if len(value) == 19 and value[4] == value[7] == "-" and value[10] == " " and value[13] == value[16] == ":":
            return datetime.fromisoformat(value)
    except ValueError:
        pass
    raise BadRecordError("BAD_VALUE", f"{name}: not a time as YYYY-MM-DD HH:MM:SS")


def seconds(time: datetime) -> int:
    """Of a wall clock time since 1970, as if it were UTC."""
    return (time - EPOCH) // _SECOND


def _short(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else f"not JSON: {error}"[:200]
