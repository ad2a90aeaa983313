# SPDX-License-Identifier: Apache-2.0
"""What several manifests say about each other: only what is certain from them alone is an error.

What they refer to may stand in the cluster already, so that something missing here is a note.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from cairn.api.engines import ENGINES
from cairn.api.resources import Obj
from cairn.api.validate import Path
from cairn.cli.loader import Document

Remark = tuple[Document, Path, str, str]
"""Document, path in it, level (error or note), message."""

_Key = tuple[str, str, str]
_There = frozenset[tuple[str, str]]
_PLAN: Path = ("spec", "planRef", "name")


def together(
    documents: Sequence[Document], unsound: Iterable[tuple[str, str]], datasets: Collection[str]
) -> Iterator[Remark]:
    """Remarks on documents that are right by themselves. `unsound`: kinds and names of others, which are there, too."""
    by_key: dict[_Key, Document] = {}
    for document in documents:
        if document.obj["metadata"].get("name") is None:
            continue
        if first := by_key.get(_key(document.obj)):
            where = f"{first.file}:{first.line()}"
            yield document, ("metadata", "name"), "error", f"the same object stands at {where}: remove one"
        by_key.setdefault(_key(document.obj), document)
    yield from _sellers(documents)
    there = frozenset(unsound)
    for document in documents:
        if "planRef" in document.obj["spec"]:
            yield from _plan(document, by_key, there)
        yield from _promotions(document, by_key, there)
        if document.obj["kind"] == "SellerVM":
            yield from _host(document, documents)
        if document.obj["kind"] == "PushSubscription":
            yield from _push(document, by_key, there, datasets)
            yield from _shops(document, documents)


def _key(obj: Obj) -> _Key:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _plan(document: Document, by_key: dict[_Key, Document], there: _There) -> Iterator[Remark]:
    name, kind = document.obj["spec"]["planRef"]["name"], document.obj["kind"]
    plan = by_key.get(("ServicePlan", "", name))
    if plan is None:
        if ("ServicePlan", name) in there:
            return
        yield document, _PLAN, "note", f"spec.planRef: ServicePlan {name} is not among these files"
    elif (made_for := plan.obj["spec"]["for"]) != kind:
        text = f"spec.planRef: ServicePlan {name} is for {made_for}, not for {kind}: choose a plan for {kind}"
        yield document, _PLAN, "error", text
    elif plan.obj["spec"].get("deprecated"):
        yield document, _PLAN, "note", f"spec.planRef: ServicePlan {name} is deprecated and refuses new users"


def _promotions(document: Document, by_key: dict[_Key, Document], there: _There) -> Iterator[Remark]:
    kind = document.obj["kind"]
    for index, entry in enumerate(document.obj["spec"].get("promotions") or ()):
        here, name = ("spec", "promotions", index), entry["name"]
        field = f"spec.promotions[{name}]"
        if ("Promotion", "", name) not in by_key and ("Promotion", name) not in there:
            yield document, (*here, "name"), "note", f"{field}: Promotion {name} is not among these files"
        wanted = (entry.get("planRef") or {}).get("name")
        plan = by_key.get(("ServicePlan", "", wanted)) if wanted else None
        if wanted and plan is None and ("ServicePlan", wanted) not in there:
            text = f"{field}.planRef: ServicePlan {wanted} is not among these files"
            yield document, (*here, "planRef", "name"), "note", text
        elif plan and (made_for := plan.obj["spec"]["for"]) != kind:
            text = f"{field}.planRef: ServicePlan {wanted} is for {made_for}, not for {kind}: choose a plan for {kind}"
            yield document, (*here, "planRef", "name"), "error", text


def _push(
    document: Document, by_key: dict[_Key, Document], there: _There, datasets: Collection[str]
) -> Iterator[Remark]:
    spec = document.obj["spec"]
    for index, dataset in enumerate(spec.get("datasets", ())):
        if dataset not in datasets:
            text = f"spec.datasets: {dataset} is unknown: there are {', '.join(datasets)}"
            yield document, ("spec", "datasets", index), "error", text
    server = spec["databaseRef"]["name"]
    database = by_key.get(("SellerRDS", document.obj["metadata"].get("namespace", ""), server))
    if database is None:
        if ("SellerRDS", server) in there:
            return
        text = f"spec.databaseRef: SellerRDS {server} is not among these files in the same namespace"
        yield document, ("spec", "databaseRef", "name"), "note", text
        return
    if text := _database_name(spec.get("databaseName"), server, database.obj["spec"]):
        yield document, ("spec", "databaseName"), "error", text


def _database_name(wanted: str | None, server: str, rds: Obj) -> str:
    """What is wrong with spec.databaseName; empty where nothing is."""
    traits = ENGINES[rds.get("engine", "postgresql")]
    declared = [entry["name"] for entry in rds.get("databases") or ()]
    has = ", ".join(declared) or "none"
    if traits.pushed_into:
        into = f"records go to {traits.pushed_into} and platform on {traits.title}"
        return f"spec.databaseName: {wanted} can't be chosen, {into}: remove it" if wanted else ""
    if wanted is None:
        return f"spec.databaseName is missing: name a database of SellerRDS {server} ({has})"
    if wanted in declared:
        return ""
    return (
        f"spec.databaseName: {wanted} is not among spec.databases of SellerRDS {server} ({has}): add it there, or name"
        " one of them"
    )


def _host(document: Document, documents: Sequence[Document]) -> Iterator[Remark]:
    """A machine's host name belongs to the Seller whose namespace this is, if that Seller is here."""
    host = (document.obj["spec"].get("expose") or {}).get("host")
    here = document.obj["metadata"].get("namespace")
    for seller in _of_kind("Seller", documents) if host else []:
        if seller.obj["spec"]["namespace"] == here and host not in (seller.obj["spec"].get("hosts") or ()):
            name = seller.obj["metadata"].get("name")
            text = f"spec.expose.host: {host} is no host of Seller {name}: add it to its spec.hosts, or name another"
            yield document, ("spec", "expose", "host"), "error", text


def _shops(document: Document, documents: Sequence[Document]) -> Iterator[Remark]:
    """Every shop belongs to the Seller whose namespace this is, if that Seller is here."""
    namespace = document.obj["metadata"].get("namespace")
    for seller in _of_kind("Seller", documents):
        if seller.obj["spec"]["namespace"] != namespace:
            continue
        own = {shop["id"] for shop in seller.obj["spec"].get("shops") or ()}
        for index, shop in enumerate(document.obj["spec"]["shops"]):
            if shop not in own:
                name = seller.obj["metadata"].get("name")
                text = f"spec.shops: {shop} is no shop of Seller {name}, whose namespace this is: remove it"
                yield document, ("spec", "shops", index), "error", text


def _sellers(documents: Sequence[Document]) -> Iterator[Remark]:
    """No two Sellers share an id, a namespace or a shop."""
    taken: dict[tuple[str, ...], str] = {}
    for seller in _of_kind("Seller", documents):
        spec, name = seller.obj["spec"], str(seller.obj["metadata"].get("name"))
        claims: list[tuple[tuple[str, ...], Path]] = [
            ((field, spec[field]), ("spec", field)) for field in ("id", "namespace")
        ]
        for index, shop in enumerate(spec.get("shops") or ()):
            claims.append((("shops", shop.get("platform", "taobao"), shop["id"]), ("spec", "shops", index, "id")))
        for claim, path in claims:
            if (owner := taken.setdefault(claim, name)) != name:
                text = f"spec.{claim[0]}: {claim[-1]} belongs to Seller {owner} already: each has one owner"
                yield seller, path, "error", text


def _of_kind(kind: str, documents: Sequence[Document]) -> list[Document]:
    return [document for document in documents if document.obj["kind"] == kind]
