# SPDX-License-Identifier: Apache-2.0
"""Records of datasets that a platform declared, as the worker makes rows of them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from cairn.api.dataset import Dataset
from cairn.api.record import seconds
from cairn.bus.interface import Message
from cairn.bus.pack import Pack, Record, digest, encode
from cairn.cli.declared import declared
from cairn.sql.push.rows import Row
from cairn.worker.decode import Decoder, Place

KNOWN = declared(Path(__file__).resolve().parents[2] / "examples" / "helm" / "datasets.yaml")
SHOPS = {"55501": "taobao001"}


def row(dataset: Dataset, key: int, second: int, position: int, **members: Any) -> Row:
    """One record, from its bytes on the bus."""
    when = datetime(2026, 11, 11, 0, 0, second)  # noqa: DTZ001
    record: Any = {dataset.key: key, dataset.owner: "taobao001", dataset.modified: str(when), **members}
    for member in reversed(dataset.envelope):
        record = {member: record}
    raw, subject = json.dumps(record).encode(), f"push.2088.55501.{dataset.name}"
    data = encode(Pack(subject, 5, [Record(key, seconds(when), 0, digest(raw), raw)]))
    message = Message(subject, data, "reply", position, 1, redelivered=False)
    (found,) = Decoder(dataset, SHOPS).message(message, Place("PUSH", 1_800_000_000, position)).rows
    return found
