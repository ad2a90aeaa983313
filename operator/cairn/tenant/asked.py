# SPDX-License-Identifier: Apache-2.0
"""One app's requests against what the grants offer: what it gets, what waits, what it is denied, in words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from cairn.api.conditions import Reason
from cairn.api.contract import Contract
from cairn.api.integrationapp import IntegrationApp, Request
from cairn.tenant.masks import Rule, at_least
from cairn.tenant.offer import Judged, unread
from cairn.tenant.terms import AppConsent, Shown, World, few, some

MOST_DENIED = 60


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one request comes to."""

    pending: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    reason: Reason = Reason.GRANTED


def consent(name: str, app: IntegrationApp, judged: Sequence[Judged], world: World) -> AppConsent:
    """name: of the app's entry"""
    requests = sorted(app.spec.requests, key=lambda one: one.name)
    offers = [shown for one in judged if one.grant.app == name for shown in one.shown]
    shown = [cut for offer in offers if (cut := _cut(offer, requests)).columns]
    answers = [_answer(request, name, shown, judged, world) for request in requests]
    seen = {column.name for one in shown for column in one.columns}
    missing = [text for answer in answers for text in answer.missing]
    return AppConsent(
        shown=tuple(sorted(shown, key=lambda one: one.name)),
        granted=tuple(sorted({one.contract for one in shown})),
        denied=few(sorted({column for answer in answers for column in answer.denied} - seen), MOST_DENIED),
        pending=few([text for answer in answers for text in answer.pending]),
        missing="; ".join(few(missing)),
        reason=next((answer.reason for answer in answers if answer.reason is not Reason.GRANTED), Reason.GRANTED),
    )


def _cut(offer: Shown, requests: Iterable[Request]) -> Shown:
    """Of what is offered, that which is asked for: of this contract by its name, for this purpose."""
    wanted = {
        column
        for request in requests
        if request.contract.name == offer.contract and request.purpose == offer.purpose
        for column in (*request.required, *request.optional)
    }
    return replace(offer, columns=tuple(column for column in offer.columns if column.name in wanted))


def _answer(request: Request, app: str, shown: Iterable[Shown], judged: Iterable[Judged], world: World) -> _Answer:
    mine = [one for one in shown if (one.contract, one.purpose) == (request.contract.name, request.purpose)]
    grants = [
        one
        for one in judged
        if one.grant.app == app and one.grant.contract.name == request.contract.name and one.read is not None
    ]
    seen = {column.name for one in mine for column in one.columns}
    lacking = sorted(set(request.required) - seen)
    missing = (f"request {request.name}: {some(lacking)} not granted",) if lacking else ()
    fitting = [one for one in grants if one.grant.purpose == request.purpose]
    problem = unread(request.contract.name, request.contract.sha256, world)
    if not fitting:
        return _Answer(
            (_unanswered(request, grants, world),), missing=missing, reason=_reason(problem, grants, lacking)
        )
    if all(one.grant.contract.sha256 != request.contract.sha256 for one in fitting):
        old = [one.read for one in fitting if one.read]
        known = {column.name for contract in old for column in contract.columns if column.mask}
        return _Answer(
            (_widened(request, mine, old, world),),
            tuple(sorted((set(request.optional) - seen) & known)),
            missing,
            _reason(problem, (), lacking),
        )
    pending: tuple[str, ...] = ()
    if lacking:
        by = some(one.grant.name for one in fitting)
        pending = (f"request {request.name} needs {some(lacking)}, which grant {by} does not show",)
    denied = tuple(sorted(set(request.optional) - seen))
    return _Answer(pending, denied, missing, Reason.NO_CONSENT if lacking else Reason.GRANTED)


def _reason(problem: object, grants: Collection[Judged], lacking: Collection[str]) -> Reason:
    found = getattr(problem, "reason", None)
    if isinstance(found, Reason):
        return found
    if grants:
        return Reason.PURPOSE_MISMATCH
    return Reason.NO_CONSENT if lacking else Reason.GRANTED


def _unanswered(request: Request, grants: Collection[Judged], world: World) -> str:
    columns = [f"columns {some(request.required)}"] if request.required else []
    columns += [f"optional {some(request.optional)}"] if request.optional else []
    text = f"request {request.name} asks for contract {_pin(request)} for {request.purpose}: {'; '.join(columns)}"
    if grants:
        purposes = some({one.grant.purpose for one in grants})
        text += f" (it is granted for {purposes} alone)"
    return text + _trouble(request, world)


def _widened(request: Request, mine: Collection[Shown], old: Sequence[Contract], world: World) -> str:
    """The request pins another text than the seller has consented to."""
    seen = {column.name for one in mine for column in one.columns}
    more = [name for name in (*request.required, *request.optional) if name not in seen]
    text = f"request {request.name} now pins contract {_pin(request)}; {old[0].sha256[:12]} stays granted"
    text += f": new columns {some(more)}" if more else ": no new columns"
    new = world.contracts.get(request.contract.sha256)
    if isinstance(new, Contract):
        laxer = tuple(_laxer(new, old, {*request.required, *request.optional}))
        text += f"; less masked {some(laxer)}" if laxer else ""
    return text + _trouble(request, world)


def _laxer(new: Contract, old: Iterable[Contract], names: Collection[str]) -> Iterator[str]:
    before = {column.name: column for contract in old for column in contract.columns}
    for column in new.columns:
        was = before.get(column.name)
        if column.name not in names or column.mask is None or was is None or was.mask is None:
            continue
        if not at_least(Rule(column.mask, column.bucket), Rule(was.mask, was.bucket)):
            yield f"{column.name} ({column.mask} instead of {was.mask})"


def _pin(request: Request) -> str:
    return f"{request.contract.name} ({request.contract.sha256[:12]})"


def _trouble(request: Request, world: World) -> str:
    problem = unread(request.contract.name, request.contract.sha256, world)
    return f". {problem.reason.value}: {problem.text}" if problem else ""
