# SPDX-License-Identifier: Apache-2.0
"""`cairn audit-log`: who got or lost which right on a seller's shared data, when and why, from the database itself.

It reads with the caller's own rights: the IntegrationTenant, the SellerRDS and its Secrets by name, then the database.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from kubernetes.aio.config import ConfigException

from cairn.api.conditions import Condition
from cairn.api.database import Database, admin_secret, ca_secret, shared_database
from cairn.api.integrationtenant import IntegrationTenant
from cairn.api.resources import INTEGRATIONTENANT, SECRET, SELLERRDS, Obj, Ref, Resource
from cairn.api.secrets import raw
from cairn.cli.manifests import add_cluster, moment
from cairn.cli.table import table
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.errors import ApiError
from cairn.sql.errors import SqlError
from cairn.sql.postgresql import Target, connect
from cairn.sql.share.model import Design
from cairn.sql.share.postgresql.audit import broken
from cairn.sql.share.postgresql.share import PostgreSQLShare

HEAD = ("NO", "AT", "ACTION", "SUBJECT", "BY", "WHY")
Row = Mapping[str, Any]


class NoAnswerError(Exception):
    """What keeps the log from being read."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tenant", metavar="TENANT", help="the IntegrationTenant")
    parser.add_argument("-n", "--namespace", metavar="NS", required=True, help="the seller's namespace")
    parser.add_argument("--since", type=moment, metavar="TIME", help="only what was written since")
    parser.add_argument("--limit", type=int, default=200, metavar="N", help="the newest so many; 200 by default")
    parser.add_argument(
        "--host", metavar="HOST", help="where the database is reached, such as localhost of a port-forward"
    )
    parser.add_argument("--port", type=int, metavar="PORT", help="the port there")
    add_cluster(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result")
    parser.epilog = (
        "You need to be allowed to get the IntegrationTenant, its SellerRDS and the database's Secrets (admin and CA):"
        " of the roles that Cairn ships none has these Secrets, so it is for the platform's admins. From outside the"
        " cluster: kubectl port-forward -n NS service/DATABASE 15432:5432, then --host localhost --port 15432."
        " Exit code: 0 fine, 1 the log was changed by somebody, 2 wrong usage or no answer."
    )


def run(args: argparse.Namespace) -> int:
    if not args.kubeconfig:
        print("cairn audit-log: name a cluster by --kubeconfig", file=sys.stderr)
        return 2
    try:
        rows = asyncio.run(_rows(args))
    except (NoAnswerError, SqlError, ApiError, ConfigException, asyncpg.PostgresError, OSError) as error:
        print(f"cairn audit-log: {str(error).strip()}", file=sys.stderr)
        return 2
    print(as_json(rows) if args.output == "json" else as_text(rows))
    if (number := broken(rows)) is not None:
        print(f"row {number} is not what was written: somebody changed the log, or took rows away", file=sys.stderr)
        return 1
    return 0


async def _rows(args: argparse.Namespace) -> list[Row]:
    design, target = await _target(args)
    conn = await connect(target, application="cairn-audit-log")
    try:
        return list(await PostgreSQLShare(conn, target).audit(design, args.since, args.limit))
    finally:
        await conn.close(timeout=2)


async def _target(args: argparse.Namespace) -> tuple[Design, Target]:
    transport = KubernetesTransport(await load_configuration(args.kubeconfig, args.context))
    try:
        cluster = Cluster(transport, may_write=lambda: False)

        async def get(resource: Resource, name: str) -> Obj:
            found = await cluster.get(Ref(resource, args.namespace, name))
            if found is None:
                raise NoAnswerError(f"there is no {resource.kind} {name} in namespace {args.namespace}")
            return found

        tenant = IntegrationTenant.model_validate(await get(INTEGRATIONTENANT, args.tenant))
        rds_name = tenant.spec.database_ref.name
        database = shared_database(rds_name, tenant.spec.database_name, await get(SELLERRDS, rds_name))
        if not isinstance(database, Database):
            raise NoAnswerError(_words(database))
        if tenant.status.design_id is None:
            raise NoAnswerError(f"IntegrationTenant {args.tenant} has shared nothing yet: status.designId is empty")
        admin, authority = await get(SECRET, admin_secret(database.rds)), ca_secret(database.rds)
        ca = raw(await get(SECRET, authority), "ca.crt") if authority else b""
    finally:
        await transport.close()
    return Design(tenant.status.design_id, database.name), target_of(database, admin, ca, args.host, args.port)


def _words(conditions: Sequence[Condition]) -> str:
    return "; ".join(condition.message for condition in conditions[:1])


def target_of(database: Database, admin: Obj, ca: bytes, host: str | None, port: int | None) -> Target:
    """The certificate is held to the server's own name, wherever it is reached."""
    external = database.rds.spec.external
    name = f"{database.rds.metadata.name}.{database.rds.metadata.namespace}.svc" if external is None else external.host
    checked = external is None or external.tls == "VerifyCA"
    if checked and not ca:
        raise NoAnswerError("the Secret with the database's CA has no ca.crt: nothing tells that it is that server")
    return Target(
        host=name,
        port=port or database.port,
        database=database.name,
        user=raw(admin, "username").decode(),
        password=raw(admin, "password").decode(),
        ca=ca if checked else None,
        verify_host=external is None,
        address=socket.gethostbyname(host) if host else None,
    )


def as_text(rows: Sequence[Row]) -> str:
    """Oldest first. What changed stands below each row: - before, + after."""
    if not rows:
        return "nothing was written"
    lines = table([HEAD, *(_cells(row) for row in rows)]).splitlines()
    out = [lines[0]]
    for row, line in zip(rows, lines[1:], strict=True):
        gone = [f"    - {text}" for text in row["before"] if text not in row["after"]]
        new = [f"    + {text}" for text in row["after"] if text not in row["before"]]
        out += [line, *gone, *new]
    return "\n".join(out)


def _cells(row: Row) -> tuple[str, ...]:
    at = row["at"].isoformat(timespec="seconds") if isinstance(row["at"], datetime) else str(row["at"])
    why = f"{row['reason']} (contract {str(row['contract'])[:12]})" if row["contract"] else str(row["reason"])
    return (str(row["seq"]), at, str(row["action"]), str(row["subject"]), str(row["actor"]), why)


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([dict(row) for row in rows], default=_plain, ensure_ascii=False, indent=2)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else str(value)
