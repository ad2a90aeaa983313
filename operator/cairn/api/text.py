# SPDX-License-Identifier: Apache-2.0
"""Objects as YAML text, the way people write them."""

from __future__ import annotations

from typing import Any

import yaml

from cairn.api.resources import Obj


class _Dumper(yaml.SafeDumper):
    """Keeps the order of fields, indents nothing twice, and never writes an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Texts of several lines stay readable, scripts and configuration files above all."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _string)


def to_yaml(*objects: Obj) -> str:
    """Objects as YAML documents, fields in their order."""
    return yaml.dump_all(objects, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
