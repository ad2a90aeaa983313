# SPDX-License-Identifier: Apache-2.0
"""For `cairn check`: data contracts in ConfigMaps and files of their own, and grants and publications against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cairn.api.conditions import Reason
from cairn.api.contract import KEY, ContractError, read
from cairn.api.dataset import Dataset
from cairn.api.validate import Path as ObjPath
from cairn.cli.consented import Consented, consented, contract_text
from cairn.cli.loader import Document
from cairn.tenant.terms import Problem

UNSURE = (Reason.CONTRACT_NOT_FOUND, Reason.GRANT_EXPIRED, Reason.GRANT_TOO_LONG)
"""What other files, or another day, may put right."""
Found = tuple[str, int, str, str]
"""File, line, level and message."""


def contracts(documents: Sequence[Document], datasets: Mapping[str, Dataset]) -> Iterator[Found]:
    """What is wrong with each contract, and with what names one."""
    for document in documents:
        yield from _text(document)
    objects = [document.obj for document in documents if isinstance(document.obj.get("metadata"), dict)]
    for one in consented(objects, datetime.now(UTC), datasets=datasets):
        yield from _grants(one, documents)


def _text(document: Document) -> Iterator[Found]:
    if document.obj.get("kind") == "DataContract" and document.file != "<stdin>":
        data, before = Path(document.file).read_bytes(), 0
    elif (text := contract_text(document.obj)) is not None:
        data, before = text.encode(), document.line(("data", KEY))
    else:
        return
    try:
        read(data)
    except ContractError as error:
        field = f"{error.field}: " if error.field else ""
        yield document.file, before + error.line, "error", f"{field}{error.problem}"


def _grants(one: Consented, documents: Sequence[Document]) -> Iterator[Found]:
    absent = {entry.name for entry in one.tenant.spec.apps} - one.apps.keys()
    for problem in one.effective.grants:
        name = problem.text.removeprefix("grant ").partition(":")[0]
        at = next(n for n, grant in enumerate(one.tenant.spec.grants) if grant.name == name)
        unsure = problem.reason is Reason.TABLE_UNKNOWN and any(
            f"app {app} publishes" in problem.text for app in absent
        )
        where = _find(documents, "IntegrationTenant", one.tenant.metadata.namespace, one.tenant.metadata.name)
        yield _found(where, ("spec", "grants", at), problem, unsure=unsure)
    for problem in one.effective.publications:
        app, _, rest = problem.text.removeprefix("app ").partition(", table ")
        table = rest.partition(":")[0]
        at = next(n for n, each in enumerate(one.apps[app].spec.publishes) if each.name == table)
        where = _find(documents, "IntegrationApp", one.apps[app].metadata.namespace, app)
        yield _found(where, ("spec", "publishes", at), problem, unsure=False)


def _find(documents: Sequence[Document], kind: str, namespace: str, name: str) -> Document:
    wanted = (kind, namespace, name)
    return next(
        document
        for document in documents
        if isinstance(meta := document.obj.get("metadata"), dict)
        and (document.obj.get("kind"), meta.get("namespace", ""), meta.get("name")) == wanted
    )


def _found(document: Document, path: ObjPath, problem: Problem, *, unsure: bool) -> Found:
    level = "note" if unsure or problem.reason in UNSURE else "error"
    return document.file, document.line(path), level, problem.text
