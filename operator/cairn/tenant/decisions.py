# SPDX-License-Identifier: Apache-2.0
"""What was decided about apps and consents since status told of them last, for the audit. Pure.

Changes of rights are recorded where they are made, with who asked for them and under which contract.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from cairn.api.integrationtenant import Grant
from cairn.tenant.apps import State
from cairn.tenant.case import Case

LONGEST = 2000
"""So many characters of a consent stand in the audit; the contract it names has the rest."""


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


def consents(case: Case) -> Iterator[tuple[str, str, str]]:
    """Every grant as it stands, once grants are others than status says that the audit tells of."""
    if case.tenant.status.consent_hash != consent_hash(case):
        yield from (("consent", f"grant {grant.name}", _said(grant)) for grant in case.tenant.spec.grants)


def consent_hash(case: Case) -> str:
    """Of all grants; empty where there are none."""
    text = "\n".join(sorted(grant.model_dump_json(by_alias=True) for grant in case.tenant.spec.grants))
    return hashlib.sha256(text.encode()).hexdigest()[:32] if text else ""


def _said(grant: Grant) -> str:
    """Its digest tells one from another that reads the same where the text was cut."""
    tables = "; ".join(
        f"{table.from_}: " + ", ".join(f"{column.name} {column.mask}" for column in table.columns)
        for table in grant.tables
    )
    digest = hashlib.sha256(grant.model_dump_json(by_alias=True).encode()).hexdigest()[:12]
    rows = f"shops {', '.join(grant.rows.shops)}" + (f", {grant.rows.window}" if grant.rows.window else "")
    who = f"to app {grant.app} for {grant.purpose} until {grant.expires_at}"
    return (
        f"{who}, contract {grant.contract.name} {grant.contract.sha256[:12]}, {rows}, {tables}"[:LONGEST]
        + f" ({digest})"
    )
