#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write what the charts have from the models: copies of crds/*.yaml, the schema of seller-cloud's values, and of the
datasets in cairn's.

`make crds` runs this. The CRDs stand in the chart's templates and not in its folder crds/, which Helm installs
once and never again: so an upgrade of the release upgrades them. With Helm's order to keep them, an uninstall leaves
them, and every object that a user has made.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cairn.api.values_schema import datasets_schema, values_schema

TREE = Path(__file__).resolve().parent.parent
_HEAD = "\nmetadata:\n"
_KEEP = _HEAD + "  annotations:\n    helm.sh/resource-policy: keep\n"


def generated(tree: Path = TREE) -> dict[Path, str]:
    """Every generated file of the charts with its text. ValueError for a CRD that has annotations already."""
    files = {}
    for path in sorted((tree / "crds").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if text.count(_HEAD) != 1 or "\n  annotations:" in text:
            raise ValueError(f"{path.name}: expected one CRD without annotations")
        files[tree / "charts" / "cairn" / "files" / "crds" / path.name] = text.replace(_HEAD, _KEEP)
    schema = json.dumps(values_schema(), indent=2, ensure_ascii=False) + "\n"
    files[tree / "charts" / "seller-cloud" / "values.schema.json"] = schema
    cairn = tree / "charts" / "cairn" / "values.schema.json"
    values = json.loads(cairn.read_text(encoding="utf-8"))
    values["properties"]["datasets"] = datasets_schema()
    files[cairn] = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    return files


def standing(tree: Path = TREE) -> dict[Path, str]:
    """What of it stands in the tree now."""
    crds = (tree / "charts" / "cairn" / "files" / "crds").glob("*.yaml")
    schemas = (tree / "charts" / chart / "values.schema.json" for chart in ("cairn", "seller-cloud"))
    return {path: path.read_text(encoding="utf-8") for path in (*crds, *schemas) if path.exists()}


def main() -> int:
    wanted = generated()
    for path in standing().keys() - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
