#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Copy crds/*.yaml into the chart, each with Helm's order to keep it. `make crds` runs this.

In the chart's templates (and not in its folder crds/, which Helm installs once and never again) an upgrade of the
release upgrades them; with the annotation an uninstall leaves them, and so every object that a user has made.
"""

from __future__ import annotations

import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
TARGET = TREE / "charts" / "cairn" / "files" / "crds"
_HEAD = "\nmetadata:\n"
_KEEP = _HEAD + "  annotations:\n    helm.sh/resource-policy: keep\n"


def copies(source: Path = TREE / "crds") -> dict[str, str]:
    """The chart's files by name. ValueError for a CRD that has annotations already."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(source.glob("*.yaml"))}
    for name, text in texts.items():
        if text.count(_HEAD) != 1 or "\n  annotations:" in text:
            raise ValueError(f"{name}: expected one CRD without annotations")
    return {name: text.replace(_HEAD, _KEEP) for name, text in texts.items()}


def main() -> int:
    wanted = copies()
    TARGET.mkdir(parents=True, exist_ok=True)
    for stale in TARGET.glob("*.yaml"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        (TARGET / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
