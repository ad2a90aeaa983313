# SPDX-License-Identifier: Apache-2.0
"""Who takes part in `make demo-tenant`: the records that the platform pushes, and each vendor's pod with psql in it."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.envelopes import Order, trade
from demo.retail import Line
from demo.run import psql as seller_psql
from demo.sender import signed
from demo.steps import DemoError, awaited
from demo.target import Obj, Target, run

SELLER, SHOP, NICK = "2088", "55501", "taobao001"
BINDING = "/bindings/cairn-db"
CONNECT = (
    f'cd {BINDING}; export PGHOST="$(cat host)" PGPORT="$(cat port)" PGUSER="$(cat username)"'
    f' PGPASSWORD="$(cat password)" PGDATABASE="$(cat database)" PGSSLMODE=verify-full PGSSLROOTCERT={BINDING}/ca.crt;'
    ' exec psql -XAtq -v s="$(cat share-schema)" -v p="$(cat publish-schema)" -v ON_ERROR_STOP=1 -f -'
)
"""What a vendor's program does: everything comes from the Secret, read anew for each connection."""
BUYERS = (
    ("小明", "alice-ouid", 3, "asks for an invoice"),
    ("bob", "bob-ouid", 1, ""),
    ("carol", "carol-ouid", 5, "VIP"),
)
GOODS = (("umbrella", "39.90"), ("tea set", "268.00"), ("lamp", "129.50"), ("kettle", "99.00"))


def records(now: datetime) -> dict[str, list[Obj]]:
    """Members and their orders, as the platform's interface answers them. now: by the platform's clock"""
    members, trades = [], []
    for number, (nick, ouid, grade, memo) in enumerate(BUYERS):
        member = {
            "buyer_id": 900 + number,
            "seller_nick": NICK,
            "buyer_nick": nick,
            "status": "normal",
            "grade": grade,
            "memo": memo,
            "ouid": ouid,
            "created": str(now - timedelta(days=400)),
            "modified": str(now),
        }
        members.append({"crm_member_get_response": {"member": member}})
    for number in range(6):
        nick, ouid, *_ = BUYERS[number % len(BUYERS)]
        title, price = GOODS[number % len(GOODS)]
        line = Line(code=f"C{number}", title=title, quantity=1, price=Decimal(price))
        envelope = trade(Order(1000 + number, NICK, nick, "CN", now - timedelta(days=number + 1), [line]), 1)
        more = {"title": title, "ouid": ouid, "receiver_mobile": f"1380013800{number}", "receiver_city": "杭州"}
        envelope["trade_fullinfo_get_response"]["trade"] |= more
        trades.append(envelope)
    return {"members": members, "trades": trades}


def push(target: Target, key: bytes, found: dict[str, list[Obj]]) -> None:
    """Through the gateway, as everything that the platform pushes."""
    with target.gateway() as url:
        for dataset, envelopes in found.items():
            path = f"/v1/push/{SELLER}/{SHOP}/{dataset}"
            body = b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in envelopes)
            asked = urllib.request.Request(url + path, body, signed(key, path, body, time.time()))
            with urllib.request.urlopen(asked, timeout=30) as answer:
                if json.load(answer).get("accepted") != len(envelopes):
                    raise DemoError(f"the gateway did not take all {dataset}")

    def missing() -> str:
        counts = [int(as_seller(target, f"SELECT count(*) AS n FROM platform.{name}")[0]["n"]) for name in found]
        return "" if counts == [len(each) for each in found.values()] else f"{counts} rows of {list(found)}"

    awaited("the pushed records", missing, seconds=90)


def rows(text: str) -> list[Obj]:
    return [json.loads(line) for line in text.splitlines() if line]


def query(sql: str) -> str:
    return f"SELECT row_to_json(q) FROM ({sql}) q;\n"


def as_seller(target: Target, sql: str) -> list[Obj]:
    """By the login that the SellerRDS gives out for reading, which no app has."""
    return rows(run([*seller_psql(target), "-XAtqc", query(sql)]))


class Vendor:
    """An app's pod, in the namespace that Cairn made, with nothing but its Secret."""

    def __init__(self, target: Target, app: str, image: str) -> None:
        self.target, self.app, self.image = target, app, image
        self.namespace = f"cairn-{SELLER}-{app}"

    def start(self) -> None:
        self.target.kubectl("apply", "-f", "-", stdin=json.dumps(self._pod()))
        self.target.kubectl("wait", "-n", self.namespace, "--for=condition=Ready", "pod/app", "--timeout=90s")

    def _pod(self) -> Obj:
        container = {
            "name": "app",
            "image": self.image,
            "command": ["sleep", "infinity"],
            "env": [{"name": "HOME", "value": "/tmp"}],
            "volumeMounts": [{"name": "cairn-db", "mountPath": BINDING, "readOnly": True}],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "resources": {key: {"cpu": "50m", "memory": "64Mi"} for key in ("requests", "limits")},
        }
        spec = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "cairn-db", "secret": {"secretName": "cairn-db"}}],
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "app", "namespace": self.namespace},
            "spec": spec,
        }

    def command(self) -> list[str]:
        return self.target.command("exec", "-i", "-n", self.namespace, "app", "--", "sh", "-c", CONNECT)

    def does(self, sql: str) -> str:
        """What psql prints; DemoError where the database refuses."""
        return run(self.command(), stdin=sql)

    def sees(self, sql: str) -> list[Obj]:
        return rows(self.does(query(sql)))

    def refused(self, sql: str) -> str:
        """Why the database does not answer; empty if it does."""
        try:
            self.does(sql)
        except DemoError as error:
            return str(error).partition("ERROR:")[2].strip().splitlines()[0] if "ERROR:" in str(error) else str(error)
        return ""

    def cursor(self, sql: str) -> subprocess.Popen[str]:
        """A session that has an open cursor and has read one row of it."""
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        session = subprocess.Popen(self.command(), text=True, bufsize=1, **pipes)
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(f"BEGIN; DECLARE c CURSOR FOR {sql};\nFETCH 1 FROM c;\n\\echo open\n")
        for line in session.stdout:
            if line.strip() == "open":
                return session
        raise DemoError(f"app {self.app} could not open a cursor")


def ended(session: subprocess.Popen[str], seconds: float) -> str:
    """Fetch until the server ends the session; what it said. DemoError if it never does."""
    assert session.stdin is not None
    assert session.stdout is not None
    until = time.monotonic() + seconds
    while session.poll() is None:
        if time.monotonic() > until:
            session.kill()
            raise DemoError(f"the cursor still fetches after {seconds:g} s")
        try:
            session.stdin.write("FETCH 1 FROM c;\n")
        except BrokenPipeError:
            break
        time.sleep(0.1)
    said = session.stdout.read()
    return next((line for line in said.splitlines() if "terminating" in line or "closed" in line), said.strip()[-200:])
