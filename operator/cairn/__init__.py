# SPDX-License-Identifier: Apache-2.0
"""Cairn gives every online seller a data cloud of its own on Kubernetes."""

__version__ = "0.1.0"
