# SPDX-License-Identifier: Apache-2.0
"""The datasets that ship with Cairn: one descriptor per file beside this one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import yaml

from cairn.api.dataset import Dataset


@cache
def shipped() -> Mapping[str, Dataset]:
    """Every shipped descriptor, by name."""
    found = {}
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".yaml"):
            dataset = Dataset.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
            found[dataset.name] = dataset
    return MappingProxyType(found)
