# SPDX-License-Identifier: Apache-2.0
"""Each app of a tenant as it stands: its namespace, its request, whether its vendor is the admitted one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cairn.api import guards, pods
from cairn.api.integrationapp import IntegrationApp
from cairn.api.integrationtenant import App, IntegrationTenant
from cairn.api.lookup import parsed, plan_of, plan_ref
from cairn.api.resources import INTEGRATIONAPP, NAMESPACE, RESOURCEQUOTA, ROLEBINDING, SECRET, Obj
from cairn.api.seller import Seller
from cairn.engine.kind import Observed
from cairn.tenant import objects
from cairn.tenant.objects import Home


class State(StrEnum):
    """Where an app stands, as status.apps[].state says it."""

    MAKING = "Making"
    CONFLICT = "Conflict"
    NO_PLAN = "NoPlan"
    NO_REQUEST = "NoRequest"
    INVALID = "InvalidSpec"
    NOT_ADMITTED = "NotAdmitted"
    LEAVING = "Leaving"
    ANNOUNCED = "Announced"
    SERVED = "Served"
    REMOVED = "Removed"


@dataclass(frozen=True, slots=True)
class AppCase:
    """One entry of spec.apps.

    app: its IntegrationApp, if it is to be served; size: of its plan, None where that is in trouble
    stands: the namespace is there and the operator may write in it
    """

    entry: App
    home: Home
    state: State
    message: str
    app: IntegrationApp | None
    size: Mapping[str, str] | None
    namespace: Obj | None
    stands: bool
    secret: Obj | None

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def served(self) -> IntegrationApp | None:
        """The app that has a place in the database."""
        return self.app if self.state is State.SERVED else None


def app_cases(tenant: IntegrationTenant, seller: Seller, observed: Observed) -> tuple[AppCase, ...]:
    return tuple(_case(entry, tenant, seller, observed) for entry in tenant.spec.apps)


def _case(entry: App, tenant: IntegrationTenant, seller: Seller, observed: Observed) -> AppCase:
    home = Home(tenant.metadata.name, seller.metadata.name, seller.spec.id, entry.name)
    live = observed.ref(NAMESPACE, home.namespace)
    size, trouble = _size(entry, home, observed)
    found = _namespace(home, tenant, live) or _binding(home, observed)
    stands = found is None
    secret = observed.ref(SECRET, objects.SECRET, home.namespace) if stands else None
    app = None
    if found is None:
        found, app = _request(entry, home, tenant, observed)
        if size is None and app is None:
            found = State.NO_PLAN, trouble
    elif live is None and size is None:
        found = State.NO_PLAN, trouble
    return AppCase(entry, home, found[0], found[1], app, size, live, stands, secret)


Found = tuple[State, str]


def _namespace(home: Home, tenant: IntegrationTenant, live: Obj | None) -> Found | None:
    if live is None:
        return State.MAKING, f"namespace {home.namespace} is being made"
    if not is_home(live, home, tenant.metadata.namespace):
        message = (
            f"namespace {home.namespace} exists and was not made for app {home.app} of IntegrationTenant "
            f"{home.tenant}: Cairn adopts no namespace; name the app otherwise, or delete the namespace"
        )
        return State.CONFLICT, message
    if pods.terminating(live) or (live.get("status") or {}).get("phase") != "Active":
        return State.MAKING, f"namespace {home.namespace} is being deleted, and made anew then"
    return None


def is_home(live: Obj, home: Home, tenant_namespace: str) -> bool:
    """Whether a namespace was made for this app: by its labels, which nobody but Cairn can set."""
    labels = live["metadata"].get("labels") or {}
    owner = ("IntegrationTenant", home.tenant, tenant_namespace)
    marks = tuple(labels.get(f"cairn.dev/owner-{key}") for key in ("kind", "name", "namespace"))
    return marks == owner and all(labels.get(key) == value for key, value in objects.identity(home).items())


def _binding(home: Home, observed: Observed) -> Found | None:
    if observed.ref(ROLEBINDING, guards.OPERATOR, home.namespace) is None:
        return State.MAKING, f"Cairn's rights in namespace {home.namespace} are being made"
    return None


def _request(
    entry: App, home: Home, tenant: IntegrationTenant, observed: Observed
) -> tuple[Found, IntegrationApp | None]:
    raw = observed.ref(INTEGRATIONAPP, entry.name, home.namespace)
    if raw is None:
        message = f"waits for the vendor's IntegrationApp {entry.name} in namespace {home.namespace}"
        return (State.NO_REQUEST, message), None
    if "deletionTimestamp" in raw["metadata"]:
        return (State.LEAVING, "its IntegrationApp is being deleted"), None
    app = parsed(IntegrationApp, raw)
    if isinstance(app, tuple):
        return (State.INVALID, f"its IntegrationApp can't be read: {app[0].message}"), None
    key = app.spec.vendor.app_key
    if key != entry.vendor_app_key:
        message = (
            f"vendor {app.spec.vendor.name} with app key {key} is not admitted as {entry.name}: "
            f"spec.apps[{entry.name}].vendorAppKey is {entry.vendor_app_key}"
        )
        return (State.NOT_ADMITTED, message), None
    announced = {status.uid for status in tenant.status.apps if status.name == entry.name}
    if app.metadata.uid not in announced:
        return (State.ANNOUNCED, "is about to be served"), app
    return (State.SERVED, ""), app


def _size(entry: App, home: Home, observed: Observed) -> tuple[Mapping[str, str] | None, str]:
    name = entry.plan_ref.name
    stands = observed.child(RESOURCEQUOTA, guards.GUARD, home.namespace) is not None
    plan = plan_of("IntegrationApp", name, observed.refs.get(plan_ref(name)), current=name if stands else None)
    if isinstance(plan, tuple):
        return None, plan[0].message.replace("spec.planRef", f"spec.apps[{entry.name}].planRef", 1)
    size = plan.spec.size
    pods_ = None if size.pods is None else str(size.pods)
    found = {"cpu": size.cpu, "memory": size.memory, "storage": size.storage, "pods": pods_}
    if missing := [key for key, value in found.items() if value is None]:
        return None, f"ServicePlan {name}: spec.size names no {', '.join(missing)}"
    return {key: value for key, value in found.items() if value is not None}, ""


def left(tenant: IntegrationTenant, observed: Observed) -> Iterator[str]:
    """Namespaces of apps that the tenant has no more."""
    names = {entry.name for entry in tenant.spec.apps}
    for ref, live in observed.children.items():
        if ref.resource == NAMESPACE and (live["metadata"].get("labels") or {}).get(objects.APP_LABEL) not in names:
            yield ref.name
