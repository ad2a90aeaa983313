# SPDX-License-Identifier: Apache-2.0
"""The KubeVirt object of both tiers: KubeVirt's own generator's, with what sellers' namespaces need."""

from __future__ import annotations

import json
import subprocess

from . import build

RESTRICTED = {"virtualMachineInstanceProfile": {"customProfile": {"runtimeDefaultProfile": True}}}
"""Launcher pods with the runtime's seccomp profile: all that Pod Security's `restricted` misses in them otherwise."""


def kubevirt() -> str:
    """As JSON."""
    printed = subprocess.run([build.binary("kvgen"), "cr"], check=True, stdout=subprocess.PIPE, text=True).stdout
    made = json.loads(printed.removeprefix("---\n"))
    made["spec"]["configuration"]["seccompConfiguration"] = RESTRICTED
    return json.dumps(made)
