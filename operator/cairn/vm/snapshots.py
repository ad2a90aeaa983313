# SPDX-License-Identifier: Apache-2.0
"""Snapshots of a machine's disk by the calendar, and how many are kept."""

from __future__ import annotations

from cairn.vm.case import Case, Part


def snapshots(case: Case) -> Part:
    return Part()
