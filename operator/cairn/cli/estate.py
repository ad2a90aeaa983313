# SPDX-License-Identifier: Apache-2.0
"""What there is to price and to plan for: of manifests, of a live cluster, or of manifests over a live cluster."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cairn.api.lookup import parsed
from cairn.api.platform import Platform
from cairn.api.promotion import Promotion
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import (
    PROMOTION,
    PUSHSUBSCRIPTION,
    SELLER,
    SELLERRDS,
    SELLERVM,
    SERVICEPLAN,
    Obj,
    Ref,
    ref_of,
)
from cairn.api.seller import Billing, Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.capacity import wanted_plans
from cairn.calendar.cost import Priced
from cairn.cli.render import load

ENVIRONMENT = "CAIRN_KUBECONFIG"
PRICED = (SELLER, SELLERVM, SELLERRDS, PUSHSUBSCRIPTION)
READ = (SERVICEPLAN, PROMOTION, *PRICED)
_Model = ServicePlan | Promotion | Priced
_MODELS: dict[str, type[_Model]] = {
    "ServicePlan": ServicePlan,
    "Promotion": Promotion,
    "Seller": Seller,
    "SellerVM": SellerVM,
    "SellerRDS": SellerRDS,
    "PushSubscription": PushSubscription,
}
_NAMED = 5


class UsageError(Exception):
    """Something that the caller has to write otherwise."""


@dataclass(frozen=True)
class Estate:
    """Resources in the order of sellers and kinds, what they refer to, and what can't be read or found."""

    models: tuple[Priced, ...]
    sellers: dict[str, Seller]
    plans: dict[str, ServicePlan]
    promotions: dict[str, Promotion]
    currency: str
    problems: tuple[str, ...]

    def seller(self, model: Priced) -> str:
        found = self.sellers.get(home(model))
        return found.metadata.name if found else "-"

    def terms(self, model: Priced) -> tuple[dict[str, Promotion], dict[str, ServicePlan], Billing]:
        """What its price depends on, beside itself."""
        found = self.sellers.get(home(model))
        return self.promotions, self.plans, found.spec.billing if found else Billing()


def home(model: Priced) -> str:
    """The seller's namespace."""
    return model.spec.namespace if isinstance(model, Seller) else model.metadata.namespace


def plan_name(model: Priced) -> str:
    return model.spec.plan_ref.name if model.spec.plan_ref else ""


def add_source(parser: argparse.ArgumentParser) -> None:
    """Arguments of commands that read files, or a cluster where none are named."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="YAML or JSON, a directory, or - for stdin")
    parser.add_argument("-n", "--namespace", metavar="NS", help="only this seller's namespace")
    parser.add_argument("--config", type=Path, metavar="FILE", help="platform settings, for the currency")
    add_cluster(parser)


def add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kubeconfig", default=os.environ.get(ENVIRONMENT), help=f"by default ${ENVIRONMENT}")
    parser.add_argument("--context", help="context in that file; its current one by default")


def obtain(command: str, args: argparse.Namespace, *, live: bool) -> Estate | int:
    """Everything, or the exit code after saying what is wrong."""
    try:
        if args.files:
            loaded = load(command, args)
            if isinstance(loaded, int):
                return loaded
            objects, platform = loaded
        else:
            objects, platform = [], Platform.load(args.config) if args.config else Platform()
        if live:
            objects = _over(objects, _live(args, only_what_is_named=bool(args.files)))
        return estate(objects, None if args.config else _currency(objects), platform, args.namespace)
    except (UsageError, OSError, ValueError) as error:
        print(f"cairn {command}: {error}", file=sys.stderr)
        return 2


def _over(files: list[Obj], live: list[Obj]) -> list[Obj]:
    """What the files say counts; when something was made and what is in force stays the cluster's to say."""
    standing: dict[Ref, Obj] = {ref_of(obj): obj for obj in live}
    for obj in files:
        before = standing.get(ref_of(obj), {})
        meta = {**before.get("metadata", {}), **obj["metadata"]}
        standing[ref_of(obj)] = {**before, **obj, "metadata": meta}
    return list(standing.values())


def _live(args: argparse.Namespace, *, only_what_is_named: bool) -> list[Obj]:
    if not args.kubeconfig:
        raise UsageError(f"name FILES, or the cluster with --kubeconfig FILE or {ENVIRONMENT}")
    if not Path(args.kubeconfig).exists():
        raise UsageError(f"kubeconfig {args.kubeconfig} does not exist")
    from cairn.cli.live import UnreachableError, read  # files are priced without Kubernetes' client

    try:
        return asyncio.run(read(READ if not only_what_is_named else (SERVICEPLAN, PROMOTION, SELLER), args))
    except UnreachableError as error:
        raise UsageError(str(error)) from None


def _currency(objects: Iterable[Obj]) -> str | None:
    """The currency that the operator shows on its plans."""
    prices = ((obj.get("status") or {}).get("price") or {} for obj in objects if obj["kind"] == "ServicePlan")
    return next((price["currency"] for price in prices if price.get("currency")), None)


def estate(objects: Iterable[Obj], currency: str | None, platform: Platform, namespace: str | None) -> Estate:
    """The objects as their models. UsageError where `namespace` is nobody's."""
    problems: list[str] = []
    plans: dict[str, ServicePlan] = {}
    promotions: dict[str, Promotion] = {}
    models: list[Priced] = []
    for obj in objects:
        kind, name = obj["kind"], obj["metadata"]["name"]
        if kind not in _MODELS:
            continue
        found = parsed(_MODELS[kind], obj)
        if isinstance(found, tuple):
            problems.append(f"{ref_of(obj)} can't be read: {found[0].message}")
        elif isinstance(found, ServicePlan):
            plans[name] = found
        elif isinstance(found, Promotion):
            promotions[name] = found
        else:
            models.append(found)
    sellers = {model.spec.namespace: model for model in models if isinstance(model, Seller)}
    if namespace is not None:
        _known(namespace, {home(model) for model in models})
        models = [model for model in models if home(model) == namespace]
    order = list(_MODELS)
    models.sort(key=lambda model: (home(model), order.index(model.kind), model.metadata.name))
    for model in models:
        problems += _missing(model, plans, promotions)
    return Estate(tuple(models), sellers, plans, promotions, currency or platform.currency, tuple(problems))


def _known(namespace: str, there: set[str]) -> None:
    if namespace not in there:
        names = sorted(there)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        hint = f"write one of {', '.join(names[:_NAMED])}{more}" if names else "there is no Seller at all"
        raise UsageError(f"-n {namespace}: no Seller has this namespace and nothing is in it: {hint}")


def _missing(model: Priced, plans: dict[str, ServicePlan], promotions: dict[str, Promotion]) -> Iterable[str]:
    """References that lead nowhere: what they stand for is not in the sum."""
    me = f"{model.kind} {label(model)}"
    named = [plan_name(model)] if isinstance(model, Seller) else wanted_plans(model)
    for name in sorted(set(named) - {""}):
        if name not in plans:
            yield f"{me}: ServicePlan {name} does not exist: its price is in no sum; create it, or name another"
        elif plans[name].spec.for_ != model.kind:
            yield f"{me}: ServicePlan {name} is for {plans[name].spec.for_}, not for {model.kind}: name another"
    if not isinstance(model, Seller):
        for entry in model.spec.promotions:
            if entry.name not in promotions:
                yield f"{me}: Promotion {entry.name} does not exist: it is in no sum; create it, or remove the entry"


def label(model: Priced) -> str:
    meta = model.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
