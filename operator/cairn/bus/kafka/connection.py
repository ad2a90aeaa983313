# SPDX-License-Identifier: Apache-2.0
"""What admin, publisher and reader have in common: names, settings of the client, patience."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException

from cairn.bus.connection import BusError
from cairn.bus.verdict import seller_of

log = logging.getLogger(__name__)
_T = TypeVar("_T")

CALL_SECONDS = 5.0
"""How long one question may take."""
PATIENCE_SECONDS = 20.0
_AGAIN_SECONDS = 0.1
SCHEME = "kafka://"

# What passes: a topic was just made, a broker just came back, a coordinator still loads what groups committed.
_PASSING = frozenset((
    KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION,
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError._WAIT_COORD, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_ID, KafkaError.REQUEST_TIMED_OUT, KafkaError._TIMED_OUT, KafkaError._TRANSPORT,
))  # fmt: skip


def client_config(url: str) -> dict[str, Any]:
    """url: kafka://a:9092,b:9092. ValueError for another."""
    if not url.startswith(SCHEME) or not url[len(SCHEME) :]:
        raise ValueError(f"{url!r} is no kafka://HOST:PORT")
    return {
        "bootstrap.servers": url[len(SCHEME) :],
        "client.id": "cairn",
        "allow.auto.create.topics": False,
        "reconnect.backoff.max.ms": 1000,
        "topic.metadata.refresh.fast.interval.ms": 100,
        "logger": log,
        "log_level": 2,  # every attempt at a connection that fails is level 3; `error_cb` tells what matters
    }


def topic_of(stream: str, subject: str) -> str:
    return f"{stream}.{seller_of(subject)}"


def group_of(stream: str, subscription: str) -> str:
    return f"{stream}.{subscription}"


def patiently(what: str, call: Callable[[], _T], seconds: float = PATIENCE_SECONDS) -> _T:
    """Blocks. Asks again while the answer is one that passes. BusError for any other, and when patience ends."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except KafkaException as error:
            if code_of(error) not in _PASSING or time.monotonic() > deadline:
                raise BusError(f"{what}: {error.args[0]}") from error
        time.sleep(_AGAIN_SECONDS)


def code_of(error: KafkaException) -> int:
    problem: KafkaError = error.args[0]
    return problem.code()


def raise_first(errors: Iterable[KafkaError | None]) -> None:
    """KafkaException of the first that is one: what the client says of each partition, it does not raise."""
    for error in errors:
        if error is not None:
            raise KafkaException(error)
