# SPDX-License-Identifier: Apache-2.0
"""`cairn grants`: what each app asks for, what the seller granted, and what is effective, side by side."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from cairn.api.integrationtenant import Grant, GrantedColumn
from cairn.api.resources import CONFIGMAP, INTEGRATIONAPP, INTEGRATIONTENANT, Obj
from cairn.cli.consented import Consented, consented
from cairn.cli.declared import add_values, declared
from cairn.cli.live import UnreachableError, read
from cairn.cli.loader import LoadError
from cairn.cli.manifests import add_cluster, add_files, load, moment
from cairn.cli.table import table
from cairn.tenant.terms import Shown

HEAD = ("APP", "CONTRACT", "FROM", "COLUMN", "REQUESTED", "GRANTED", "EFFECTIVE", "UNTIL")


@dataclass(frozen=True, slots=True)
class Line:
    """One column. granted, effective: the mask; empty: not at all"""

    app: str
    contract: str
    source: str
    column: str
    requested: str
    granted: str
    effective: str
    until: str


def add(parser: argparse.ArgumentParser) -> None:
    add_files(parser, "*")
    parser.add_argument("-n", "--namespace", metavar="NS", help="the seller's namespace")
    parser.add_argument("-t", "--tenant", metavar="NAME", help="only this IntegrationTenant")
    parser.add_argument("--at", type=moment, metavar="TIME", help="as it will be then; by default now")
    add_values(parser)
    add_cluster(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result")
    parser.epilog = (
        "Without files it reads IntegrationTenants, IntegrationApps and contracts of the cluster, with your own rights."
        " What has ended in the database stays ended there: status.apps[].effectiveHash says what Cairn settled."
        " Exit code: 0 fine, 1 something is wrong with a grant or can't be read, 2 wrong usage or no answer."
    )


def run(args: argparse.Namespace) -> int:
    unread: list[str] = []
    try:
        datasets = declared(args.values)
    except (OSError, LoadError) as error:
        print(f"cairn grants: --values: {error}", file=sys.stderr)
        return 2
    if args.files:
        loaded = load("grants", args)
        if isinstance(loaded, int):
            return loaded
        objects = loaded[0]
    elif not args.kubeconfig or not args.namespace:
        print("cairn grants: name files, or a cluster by --kubeconfig and a namespace by -n", file=sys.stderr)
        return 2
    else:
        try:
            objects, unread = asyncio.run(_live(args.kubeconfig, args.context, args.namespace))
        except UnreachableError as error:
            print(f"cairn grants: {error}", file=sys.stderr)
            return 2
    found = [
        one
        for one in consented(objects, args.at or datetime.now(UTC), unread, datasets)
        if args.namespace in (None, one.tenant.metadata.namespace) and args.tenant in (None, one.tenant.metadata.name)
    ]
    if not found:
        print("cairn grants: there is no such IntegrationTenant", file=sys.stderr)
        return 2
    print(as_json(found) if args.output == "json" else "\n".join(map(as_text, found)))
    return 1 if any(one.effective.grants or one.unread for one in found) else 0


async def _live(kubeconfig: str, context: str | None, namespace: str) -> tuple[list[Obj], list[str]]:
    """What may not be read is named, and shown as not there."""
    objects = await read([INTEGRATIONTENANT], kubeconfig, context, namespace)
    unread = []
    homes = {
        str(entry["namespace"])
        for obj in objects
        for entry in (obj.get("status") or {}).get("apps") or ()
        if entry.get("namespace")
    }
    for home, kinds in ((namespace, [CONFIGMAP]), *((one, [INTEGRATIONAPP, CONFIGMAP]) for one in sorted(homes))):
        for kind in kinds:
            try:
                found = await read([kind], kubeconfig, context, home)
            except UnreachableError as error:
                unread.append(f"{home}: {error}")
                continue
            objects += [obj | {"kind": kind.kind} for obj in found]
    return objects, unread


def lines(one: Consented) -> Iterator[Line]:
    """By app and contract: columns that are asked for, in that order, then those that are granted besides."""
    for app in sorted(entry.name for entry in one.tenant.spec.apps):
        requests = one.apps[app].spec.requests if app in one.apps else ()
        grants = [grant for grant in one.tenant.spec.grants if grant.app == app]
        shown = one.effective.apps[app].shown if app in one.apps else ()
        names = {each.contract.name for each in requests} | {each.contract.name for each in grants}
        for name in sorted(names):
            mine_asked = [request for request in requests if request.contract.name == name]
            asked = {column: "required" for request in mine_asked for column in request.required}
            asked |= {c: "optional" for request in mine_asked for c in request.optional if c not in asked}
            mine = [grant for grant in grants if grant.contract.name == name]
            for grant in mine:
                yield from _columns(app, name, asked, grant, [each for each in shown if each.grant == grant.name])
            if not mine:
                yield from _columns(app, name, asked, None, ())


def _columns(
    app: str, contract: str, asked: dict[str, str], grant: Grant | None, shown: Sequence[Shown]
) -> Iterator[Line]:
    tables = {table.from_: {column.name: column for column in table.columns} for table in grant.tables} if grant else {}
    for source, granted in tables.items() or [("", {})]:
        seen = {column.name: str(column.rule) for each in shown if each.source == source for column in each.columns}
        for column in dict.fromkeys((*asked, *granted)):
            mask = _mask(granted.get(column))
            until = grant.expires_at if grant and column in seen else ""
            yield Line(app, contract, source, column, asked.get(column, ""), mask, seen.get(column, ""), until)


def _mask(column: GrantedColumn | None) -> str:
    return f"{column.mask} {column.bucket or ''}".strip() if column else ""


def _said(one: Consented) -> list[str]:
    """What is wrong, and what waits."""
    absent = [entry.name for entry in one.tenant.spec.apps if entry.name not in one.apps]
    return [
        *(f"not effective: {problem.text}" for problem in one.effective.grants),
        *(f"not published: {problem.text}" for problem in one.effective.publications),
        *(f"waits for consent: {text}" for text in one.effective.pending),
        *(f"asks for nothing yet: app {name} (no IntegrationApp of the admitted vendor's)" for name in absent),
        *(f"not readable with your rights: {text}" for text in one.unread),
    ]


def as_text(one: Consented) -> str:
    """A table, and below it what is wrong and what waits."""
    found = list(lines(one))
    rows = [tuple(field or "-" for field in asdict(line).values()) for line in found]
    head = f"IntegrationTenant {one.tenant.metadata.namespace}/{one.tenant.metadata.name}\n"
    return "\n".join([head + table([HEAD, *rows]), *_said(one)])


def as_json(found: Sequence[Consented]) -> str:
    out = [
        {
            "namespace": one.tenant.metadata.namespace,
            "tenant": one.tenant.metadata.name,
            "columns": [asdict(line) for line in lines(one)],
            "apps": {
                name: {
                    "granted": each.granted,
                    "denied": each.denied,
                    "pending": each.pending,
                    "missing": each.missing,
                    "effectiveHash": each.hash,
                }
                for name, each in one.effective.apps.items()
            },
            "problems": [problem.text for problem in (*one.effective.grants, *one.effective.publications)],
            "unread": one.unread,
        }
        for one in found
    ]
    return json.dumps(out, ensure_ascii=False, indent=2)
