# SPDX-License-Identifier: Apache-2.0
"""`cairn check`: judges manifests offline, as the API server and the operator would, with file and line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches

from cairn.api.crd import BY_KIND
from cairn.api.resources import GROUP, VERSION, Obj
from cairn.api.validate import findings
from cairn.cli.contracts import contracts
from cairn.cli.declared import add_values, declared
from cairn.cli.deep import deep
from cairn.cli.loader import Document, LoadError, read
from cairn.cli.together import together
from cairn.datasets import known


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """One line of the result. Only errors make the check fail; a note says what could not be judged."""

    file: str
    line: int
    level: str
    message: str

    def __str__(self) -> str:
        note = "note: " if self.level == "note" else ""
        return f"{self.file}:{self.line}: {note}{self.message}"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="YAML or JSON, a directory, or - for stdin")
    parser.add_argument(
        "--old",
        action="append",
        default=[],
        metavar="FILE",
        help="manifests as they stand now (a previous commit, `kubectl get -o yaml`): changes are judged too",
    )
    add_values(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the result")
    parser.epilog = (
        "Exit code: 0 nothing wrong, 1 errors found, 2 wrong usage or nothing to check. Types come first, then rules of"
        " one object, then what objects say of each other: after a correction there may be more. Kustomize patches are"
        " no whole objects: check what comes out, with `kubectl kustomize DIR | cairn check -`."
    )


def run(args: argparse.Namespace) -> int:
    if not args.files and args.values is None:
        print("cairn check: name files, or --values", file=sys.stderr)
        return 2
    try:
        (old, unread), (documents, broken) = read(args.old), read(args.files)
    except (OSError, UnicodeDecodeError) as error:
        print(f"cairn check: {error}", file=sys.stderr)
        return 2
    try:
        datasets = declared(args.values)
    except LoadError as error:
        datasets, broken = known(()), [*broken, error]
    except OSError as error:
        print(f"cairn check: --values: {error}", file=sys.stderr)
        return 2
    if not documents and not broken and args.values is None:
        # a kustomize that failed in front of a pipe must not look like manifests in order
        print(f"cairn check: no object in {', '.join(args.files)}", file=sys.stderr)
        return 2
    ours = [document for document in documents if is_ours(document)]
    failed = (Remark(error.file, error.line, "error", error.message) for error in (*unread, *broken))
    remarks = [*failed, *check(ours, old, datasets)]
    if not any(remark.level == "error" for remark in remarks):
        try:
            remarks += [Remark(*found) for found in contracts(documents, datasets)]
        except OSError as error:
            print(f"cairn check: {error}", file=sys.stderr)
            return 2
    return _report(sorted(set(remarks)), args.output, len(ours), len(documents) - len(ours))


def check(
    documents: Iterable[Document], old: Iterable[Document] = (), datasets: Collection[str] | None = None
) -> list[Remark]:
    """What is wrong with each object, with its change from the one in `old`, and between those right by themselves."""
    before = {_identity(document): document.obj for document in old}
    judged = [(document, list(_judged(document, before.get(_identity(document))))) for document in documents]
    sound = [document for document, remarks in judged if not remarks]
    unsound = [_identity(document) for document, remarks in judged if remarks]
    found = together(sound, [(kind, name) for kind, _, name in unsound], datasets or known(()))
    between = [Remark(document.file, document.line(path), *rest) for document, path, *rest in found]
    return [*(remark for _, remarks in judged for remark in remarks), *between]


def _judged(document: Document, before: Obj | None) -> Iterator[Remark]:
    if complaint := _unknown_kind(document.obj):
        yield Remark(document.file, document.line(("kind",)), "error", complaint)
        return
    found = list(findings(BY_KIND[document.obj["kind"]].schema(), document.obj, before))
    for finding in found:
        yield Remark(document.file, document.line(finding.path), "error", finding.message)
    for path, message in () if found else deep(document.obj):
        yield Remark(document.file, document.line(path), "error", message)


def is_ours(document: Document) -> bool:
    """Whether it is, or should be, an object of Cairn's. A directory may hold other YAML: values, settings."""
    if "kind" not in document.obj and "apiVersion" not in document.obj:
        return not document.searched
    return str(document.obj.get("apiVersion")).split("/")[0] == GROUP or "kind" not in document.obj


def _identity(document: Document) -> tuple[str, str, str]:
    meta = document.obj.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    return str(document.obj.get("kind")), str(meta.get("namespace", "")), str(meta.get("name"))


def _unknown_kind(obj: Obj) -> str:
    version, kind = obj.get("apiVersion"), obj.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        return "no manifest: apiVersion and kind are missing or no strings"
    if version != f"{GROUP}/{VERSION}":
        return f"apiVersion {version} is unknown: use {GROUP}/{VERSION}"
    if kind in BY_KIND:
        return ""
    known = {name.lower(): name for name in BY_KIND}
    near = get_close_matches(kind.lower(), known, n=1)
    hint = f"did you mean {known[near[0]]}?" if near else f"there are {', '.join(BY_KIND)}"
    return f"kind {kind} is unknown: {hint}"


def _report(remarks: list[Remark], form: str, checked: int, ignored: int) -> int:
    errors = sum(remark.level == "error" for remark in remarks)
    if form == "json":
        lines = [asdict(remark) for remark in remarks]
        print(json.dumps({"checked": checked, "ignored": ignored, "remarks": lines}, ensure_ascii=False))
    else:
        for remark in remarks:
            print(remark)
        others = f", {ignored} of other kinds ignored" if ignored else ""
        print(f"{checked} objects checked{others}, {errors} errors", file=sys.stderr)
    return 1 if errors else 0
