# SPDX-License-Identifier: Apache-2.0
"""What there is to price and to plan for: of manifests, of a live cluster, or of manifests over a live cluster."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from cairn.api.lookup import parsed
from cairn.api.platform import Platform
from cairn.api.promotion import Promotion
from cairn.api.pushsubscription import PushSubscription
from cairn.api.resources import (
    ALL,
    PROMOTION,
    PUSHSUBSCRIPTION,
    SELLER,
    SELLERRDS,
    SELLERVM,
    SERVICEPLAN,
    Obj,
    Ref,
    Resource,
    ref_of,
)
from cairn.api.seller import Billing, Seller
from cairn.api.sellerrds import SellerRDS
from cairn.api.sellervm import SellerVM
from cairn.api.serviceplan import ServicePlan
from cairn.calendar.capacity import wanted_plans
from cairn.calendar.cost import Priced
from cairn.cli.manifests import ENVIRONMENT, add_cluster, add_files, load

REFERRED = (SERVICEPLAN, PROMOTION, SELLER)
READ = (*REFERRED, SELLERVM, SELLERRDS, PUSHSUBSCRIPTION)
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
    add_files(parser, "*")
    parser.add_argument("-n", "--namespace", metavar="NS", help="only this seller's namespace")
    add_cluster(parser)


def obtain(command: str, args: argparse.Namespace, *, live: bool) -> Estate | int:
    """Everything in files and cluster, or the exit code after saying what is wrong."""
    return _obtain(command, args, live=live, only_files=False)


def quoted(command: str, args: argparse.Namespace) -> Estate | int:
    """What is in the files, priced by the cluster's plans, promotions and sellers where the files hold none."""
    return _obtain(command, args, live=bool(args.kubeconfig), only_files=True)


def _obtain(command: str, args: argparse.Namespace, *, live: bool, only_files: bool) -> Estate | int:
    loaded = load(command, args) if args.files else ([], None)
    if isinstance(loaded, int):
        return loaded
    files, settings = loaded
    try:
        platform = settings or (Platform.load(args.config) if args.config else Platform())
        objects = _over(files, _live(args, REFERRED if only_files else READ)) if live else files
        currency = None if args.config else _currency(objects)
        shown = {ref_of(obj) for obj in files} if only_files else None
        namespace = getattr(args, "namespace", None)
        return estate(objects, currency or platform.currency, shown, namespace, only_files=not live)
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


def _live(args: argparse.Namespace, resources: Iterable[Resource]) -> list[Obj]:
    if not args.kubeconfig:
        raise UsageError(f"name FILES, or the cluster with --kubeconfig FILE or {ENVIRONMENT}")
    if not Path(args.kubeconfig).exists():
        raise UsageError(f"kubeconfig {args.kubeconfig} does not exist")
    from cairn.cli.live import UnreachableError, read  # files are priced without Kubernetes' client

    try:
        return asyncio.run(read(resources, args.kubeconfig, args.context, getattr(args, "namespace", None)))
    except UnreachableError as error:
        raise UsageError(str(error)) from None


def _currency(objects: Iterable[Obj]) -> str | None:
    """The currency that the operator shows on its plans."""
    prices = ((obj.get("status") or {}).get("price") or {} for obj in objects if obj["kind"] == "ServicePlan")
    return next((price["currency"] for price in prices if price.get("currency")), None)


def estate(
    objects: Iterable[Obj],
    currency: str,
    shown: Collection[Ref] | None = None,
    namespace: str | None = None,
    *,
    only_files: bool = False,
) -> Estate:
    """The objects as their models: all, or those `shown`, or those in a namespace. UsageError where it is nobody's."""
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
    if shown is not None:
        models = [model for model in models if _ref(model) in shown]
    if namespace is not None:
        _known(namespace, {home(model) for model in models})
        models = [model for model in models if home(model) == namespace]
    order = list(_MODELS)
    models.sort(key=lambda model: (home(model), order.index(model.kind), model.metadata.name))
    for model in models:
        problems += _missing(model, plans, promotions, only_files=only_files)
    return Estate(tuple(models), sellers, plans, promotions, currency, tuple(problems))


def _known(namespace: str, there: set[str]) -> None:
    if namespace not in there:
        names = sorted(there)
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        hint = f"write one of {', '.join(names[:_NAMED])}{more}" if names else "there is no Seller at all"
        raise UsageError(f"-n {namespace}: no Seller has this namespace and nothing is in it: {hint}")


def _missing(
    model: Priced, plans: dict[str, ServicePlan], promotions: dict[str, Promotion], *, only_files: bool
) -> Iterable[str]:
    """References that lead nowhere: what they stand for is not in the sum."""
    gone, make = ("is not among these files", "add its file") if only_files else ("does not exist", "create it")
    me = f"{model.kind} {label(model)}"
    named = [plan_name(model)] if isinstance(model, Seller) else wanted_plans(model)
    for name in sorted(set(named) - {""}):
        if name not in plans:
            yield f"{me}: ServicePlan {name} {gone}: its price is in no sum; {make}, or name another"
        elif plans[name].spec.for_ != model.kind:
            made_for = plans[name].spec.for_
            yield f"{me}: ServicePlan {name} is for {made_for}, not for {model.kind}: it is in no sum; name another"
    if not isinstance(model, Seller):
        for entry in model.spec.promotions:
            if entry.name not in promotions:
                yield f"{me}: Promotion {entry.name} {gone}: it is in no sum; {make}, or remove the entry"


def _ref(model: Priced) -> Ref:
    return Ref(ALL[model.kind], model.metadata.namespace, model.metadata.name)


def label(model: Priced) -> str:
    meta = model.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
