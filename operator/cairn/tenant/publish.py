# SPDX-License-Identifier: Apache-2.0
"""Which tables apps publish, and what is wrong with the others. Pure."""

from __future__ import annotations

from cairn.api.conditions import Reason
from cairn.api.contract import Contract
from cairn.api.integrationapp import Publication
from cairn.tenant.offer import PLATFORM, unread
from cairn.tenant.terms import Problem, Published, World

KEYS = {"tid": ("bigint", "text"), "ouid": ("text",), "omid": ("text",)}
"""Types of the columns that join."""


def published(world: World) -> tuple[dict[str, Published], tuple[Problem, ...]]:
    """By <app>.<table>, and what is wrong with those that are not there."""
    tables, problems = {}, []
    for name, app in sorted(world.apps.items()):
        for publication in sorted(app.spec.publishes, key=lambda one: one.name):
            pin = publication.contract
            read = world.contracts.get(pin.sha256)
            problem = unread(pin.name, pin.sha256, world)
            if problem is None and isinstance(read, Contract):
                problem = _wrong(name, publication, read)
                if problem is None:
                    tables[f"{name}.{publication.name}"] = Published(name, publication, read)
            if problem is not None:
                problems.append(Problem(problem.reason, f"app {name}, table {publication.name}: {problem.text}"))
    return tables, tuple(problems)


def _wrong(app: str, publication: Publication, contract: Contract) -> Problem | None:
    if contract.source not in (publication.name, f"{app}.{publication.name}") or app == PLATFORM:
        text = f"contract {publication.contract.name} is about {contract.source}, not {publication.name}"
        return Problem(Reason.TABLE_UNKNOWN, text)
    if renamed := next((column for column in contract.columns if column.source != column.name), None):
        text = f"column {renamed.name} has the physicalName {renamed.source}: what is published has one name; remove it"
        return Problem(Reason.CONTRACT_INVALID, text)
    mapping = publication.mapping
    if mapping is None:
        return None
    types = {column.name: column.type for column in contract.columns}
    for column, allowed in ((mapping.column, KEYS[mapping.key_type]), (mapping.shop_column, ("bigint", "text"))):
        if column is None:
            continue
        if column not in types:
            return Problem(Reason.COLUMN_UNKNOWN, f"mapping: the contract has no column {column}: name one that it has")
        if types[column] not in allowed:
            text = f"mapping: column {column} is {types[column]}: {mapping.key_type} needs {' or '.join(allowed)}"
            return Problem(Reason.MAPPING_CONFLICT, text)
    return None
