# SPDX-License-Identifier: Apache-2.0
"""What was decided about apps since status told of them last, for the audit. Pure.

Changes of rights are recorded where they are made, with who asked for them and under which contract.
"""

from __future__ import annotations

from collections.abc import Iterator

from cairn.tenant.apps import State
from cairn.tenant.case import Case


def decisions(case: Case) -> Iterator[tuple[str, str, str]]:
    """As (action, subject, reason)."""
    before = {entry.name: entry for entry in case.tenant.status.apps}
    for app in case.apps:
        said = before[app.name].state if app.name in before else None
        subject = f"app {app.name}"
        if app.state is State.NOT_ADMITTED and said != State.NOT_ADMITTED:
            yield "refuse", subject, app.message
        if app.state is State.SERVED and said != State.SERVED:
            yield "admit", subject, f"of vendor {app.entry.vendor_app_key}, in namespace {app.home.namespace}"
    for name in sorted(before.keys() - {app.name for app in case.apps}):
        yield "remove", f"app {name}", "it is no longer in spec.apps: its access has ended"
