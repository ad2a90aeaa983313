# SPDX-License-Identifier: Apache-2.0
"""The platform on the demo's cluster: `cairn platform-sim`, which answers for every record, pushed or not.

Some of it is never pushed, and told to the oracle by a log of its own: orders from before the seller subscribed, and
the newest version of one order in a thousand, as if its push had been lost. History and audit are to bring them in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from demo.faults import NAMESPACE as SELLER_NAMESPACE
from demo.faults import SUBSCRIPTION
from demo.log import Answer, entry, write
from demo.orders import DAYS, Record, Shop, Stream
from demo.sender import signed
from demo.steps import DemoError, awaited
from demo.target import Obj, Target

NAMESPACE, NAME, PORT = "platform", "platform", 8090
SYSTEM, SECRET, KEY = "cairn-system", "cairn-source", "source.key"
URL = f"http://{NAME}.{NAMESPACE}.svc:{PORT}"
NETWORKS = "10.0.0.0/8"
"""Where pods and Services of dev clusters and of kind are."""
ZONE = ZoneInfo("Asia/Shanghai")
HISTORY_RUN, HISTORY_ORDERS = 0, 3_000
TOLD_AT_ONCE = 2_000
HELD = ("history", "unpushed")


def first_day(today: datetime) -> datetime:
    """Of the orders that are pushed: all that becomes of them has happened before today."""
    return today.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2 * DAYS + 1)


def today(target: Target) -> datetime:
    """On the platform's clock. On a demo that stands: the day on which the seller subscribed."""
    found = target.get("pushsubscription", "-n", SELLER_NAMESPACE, SUBSCRIPTION)
    moment = datetime.fromisoformat(found["metadata"]["creationTimestamp"]) if found else datetime.now(UTC)
    return moment.astimezone(ZONE).replace(tzinfo=None)


def history(target: Target) -> Iterator[Record]:
    """Orders that ended before the first pushed one was made."""
    first = first_day(today(target)) - timedelta(days=3 * DAYS)
    for one in Stream(HISTORY_ORDERS, HISTORY_RUN, first_day=first).newest():
        if one.kind != "real":
            yield replace(one, kind="history")


def install(target: Target, image: str) -> None:
    """Its Secret first: Cairn's chart names it. Another key would lock the workers out, so there is one for good."""
    target.kubectl("apply", "-f", "-", stdin=_listed(_namespace(SYSTEM), _namespace(NAMESPACE)))
    if target.get("secret", "-n", SYSTEM, SECRET) is None:
        target.kubectl("apply", "-f", "-", stdin=_listed(_secret(SYSTEM, secrets.token_hex(32))))
    key = target.secret(SYSTEM, SECRET)[KEY]
    target.kubectl("apply", "-f", "-", stdin=_listed(_secret(NAMESPACE, key), *_workload(image, target.service_type)))

    def missing() -> str:
        found = target.get("deployment", "-n", NAMESPACE, NAME) or {}
        if not found.get("status", {}).get("readyReplicas"):
            return "no pod of it is ready"
        try:
            with target.reach(NAMESPACE, NAME, PORT) as url, urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return ""
        except OSError as error:
            return f"no way to it yet: {error}"

    awaited("the platform", missing, seconds=120)


def tell(target: Target, records: Iterable[Record]) -> int:
    """Records come about on the platform. Returns how many."""
    shop, count = Shop(), 0
    key = _source_key(target, shop)
    with target.reach(NAMESPACE, NAME, PORT) as url:
        for dataset, lines in _by_dataset(records):
            body = b"\n".join(one.line for one in lines) + b"\n"
            path = f"/sim/{shop.seller_id}/{shop.shop_id}/{dataset}?push=no"
            asked = urllib.request.Request(url + path, body, signed(key, path, body, time.time()))
            try:
                with urllib.request.urlopen(asked, timeout=60) as answer:
                    count += int(json.load(answer)["taken"])
            except urllib.error.URLError as error:
                raise DemoError(f"the platform took no records: {error}") from None
    return count


def note(held: Path, records: Iterable[Record]) -> Iterator[Record]:
    """The same records; those that nobody pushes are appended to `held`, a log, as they pass."""
    with held.open("a") as log:
        for one in records:
            if one.kind in HELD:
                write(log, Answer(time.time(), one.dataset, 1, (entry(one),), ()))
            yield one


def _by_dataset(records: Iterable[Record]) -> Iterator[tuple[str, list[Record]]]:
    rest = iter(records)
    while some := list(islice(rest, TOLD_AT_ONCE)):
        for dataset in sorted({one.dataset for one in some}):
            yield dataset, [one for one in some if one.dataset == dataset]


def _source_key(target: Target, shop: Shop) -> bytes:
    """As docs/push.md says: hex HMAC-SHA256 of `source:<seller id>` under the platform's key."""

    platform_key = target.secret(SYSTEM, SECRET)[KEY].encode()
    return hmac.new(platform_key, f"source:{shop.seller_id}".encode(), hashlib.sha256).hexdigest().encode()


def _listed(*objects: Obj) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def _namespace(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _secret(namespace: str, key: str) -> Obj:
    meta = {"name": SECRET, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {KEY: key}}


def _workload(image: str, service_type: str) -> tuple[Obj, Obj, Obj]:
    """Its book outlives its pod: what it forgot would stand in the database as records that nobody knows."""
    meta = {"name": NAME, "namespace": NAMESPACE}
    labels = {"app": NAME}
    shop = Shop()
    container = {
        "name": NAME,
        "image": image,
        "args": [
            "platform-sim", f"--listen=0.0.0.0:{PORT}", "--database=/book/book.sqlite",
            f"--key-file=/key/{KEY}", f"--seller={shop.seller_id}", f"--shop={shop.shop_id}={shop.nick}",
        ],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "book", "mountPath": "/book"}, {"name": "key", "mountPath": "/key"}],
    }  # fmt: skip
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "fsGroup": 65532},
        "containers": [container],
        "volumes": [
            {"name": "book", "persistentVolumeClaim": {"claimName": NAME}},
            {"name": "key", "secret": {"secretName": SECRET}},
        ],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    spec = {"type": service_type, "selector": labels, "ports": [{"port": PORT}]}
    room = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "4Gi"}}}
    return (
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": room},
        deployment,
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec},
    )
