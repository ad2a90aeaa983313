#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes from packages alone: the command line, and the names that tests import."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cairn_devcluster.base import MissingError, StepError, cache
from cairn_devcluster.build import binary
from cairn_devcluster.cli import main
from cairn_devcluster.cluster import Cluster
from cairn_devcluster.controlplane import ControlPlane
from cairn_devcluster.guest import GUEST_IMAGE_REF, WEB_REF
from cairn_devcluster.images import NATS_REF, OPERATOR_REF, POSTGRES_REF, operator_image

__all__ = [
    "GUEST_IMAGE_REF",
    "NATS_REF",
    "OPERATOR_REF",
    "POSTGRES_REF",
    "WEB_REF",
    "Cluster",
    "ControlPlane",
    "MissingError",
    "StepError",
    "binary",
    "cache",
    "main",
    "operator_image",
]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
