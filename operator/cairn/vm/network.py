# SPDX-License-Identifier: Apache-2.0
"""How a machine and its clones are reached, and what they may reach. Pure builders, plain dicts.

The seller's namespace denies everything; these policies open what the spec names. Policies act on launcher pods, and
so on their guests.
"""

from __future__ import annotations

from cairn.api import pods
from cairn.api.conditions import Condition, Reason
from cairn.api.platform import Platform
from cairn.api.resources import HTTPROUTE, Obj
from cairn.engine.kind import Child
from cairn.vm.case import NAME, TRAFFIC, Case, Part
from cairn.vm.machine import labels

CDI = "cdi.kubevirt.io"
IMPORTER, UPLOADER, CLONER = "importer", "cdi-upload-server", "cdi-clone-source"
"""Values of CDI's label on the pods that fill a disk: by download, and at both ends of a copy."""


def part(case: Case) -> Part:
    children = [Child(policy(case))]
    status: Obj = {}
    if case.vm.spec.ports:
        children.append(Child(service(case)))
        status["service"] = case.name
    if case.vm.spec.expose is None:
        return Part(tuple(children), status)
    if denied := not_yours(case):
        return Part(tuple(children), status, (denied,))
    children.append(Child(route(case) if by_gateway(case) else ingress(case)))
    state = _refused(case)
    if state is None:
        status["url"] = f"{'https' if case.vm.spec.expose.tls else 'http'}://{case.vm.spec.expose.host}/"
    return Part(tuple(children), status, (state,) if state else ())


def not_yours(case: Case) -> Condition | None:
    """A host that the Seller doesn't have: nothing public is made for it."""
    expose = case.vm.spec.expose
    if expose is None or expose.host in case.seller.spec.hosts:
        return None
    message = (
        f"spec.expose.host: {expose.host} is not among the hosts of Seller {case.seller.metadata.name}"
        f" ({', '.join(case.seller.spec.hosts) or 'it has none'}): name one of them, or ask the platform to add it"
    )
    return Condition("Exposed", False, Reason.NOT_YOUR_HOST, message)


def by_gateway(case: Case) -> bool:
    return case.platform.virtual_machines.gateway is not None and HTTPROUTE not in case.observed.missing


def _meta(case: Case, name: str = "") -> Obj:
    return {"name": name or case.name, "namespace": case.namespace, "labels": labels(case.name)}


def service(case: Case) -> Obj:
    """Traffic goes to the base and to clones alike, to those that are ready and not draining."""
    ports = [
        {"name": port.name, "protocol": "TCP", "port": port.port, "targetPort": port.port}
        for port in case.vm.spec.ports
    ]
    selector = {NAME: case.name, TRAFFIC: "true"}
    spec = {"type": "ClusterIP", "selector": selector, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _meta(case), "spec": spec}


def policy(case: Case) -> Obj:
    """In: the seller's own pods and who the spec names, to its ports. Out: the seller's own pods and the internet."""
    ports = [{"protocol": "TCP", "port": port.port} for port in case.vm.spec.ports]
    peers: list[Obj] = [
        {"podSelector": {}},
        *(_namespace(name) for name in sorted(set(case.vm.spec.access.from_namespaces))),
    ]
    ingress: list[Obj] = [{"from": peers, "ports": ports}] if ports else []
    if edge := _edge(case):
        ingress.append(edge)
    return _policy(
        case,
        case.name,
        {"matchLabels": {NAME: case.name}},
        ingress,
        [{"to": [{"podSelector": {}}]}, {"to": _internet(case.platform)}],
    )


def _edge(case: Case) -> Obj | None:
    """The gateway's or ingress controller's pods, to the exposed port alone."""
    expose, namespaces = case.vm.spec.expose, case.platform.virtual_machines.edge_namespaces
    if expose is None or not namespaces or not_yours(case):
        return None
    return {
        "from": [_namespace(name) for name in sorted(set(namespaces))],
        "ports": [{"protocol": "TCP", "port": exposed_port(case)}],
    }


def exposed_port(case: Case) -> int:
    expose = case.vm.spec.expose
    return next(port.port for port in case.vm.spec.ports if expose and port.name == expose.port)


def import_policy(case: Case) -> Obj:
    """For CDI's pods while a disk is made: downloads from where the platform allows, and both ends of a copy."""
    images = case.platform.virtual_machines.image_namespace
    source = {"podSelector": {"matchLabels": {CDI: CLONER}}}
    copy = [{"protocol": "TCP", "port": 8443}]
    return _policy(
        case,
        f"{case.name}-import",
        {"matchExpressions": [{"key": CDI, "operator": "In", "values": [IMPORTER, UPLOADER, CLONER]}]},
        [{"from": [source, {**_namespace(images), **source}], "ports": copy}],
        [
            {"to": _internet(case.platform)},
            {"to": [{"podSelector": {"matchLabels": {CDI: UPLOADER}}}], "ports": copy},
        ],
    )


def _policy(case: Case, name: str, selector: Obj, ingress: list[Obj], egress: list[Obj]) -> Obj:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(case, name),
        "spec": {
            "podSelector": selector,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def _internet(platform: Platform) -> list[Obj]:
    """Everything but the networks that the platform denies: nodes, control plane, other sellers' pods."""
    denied = platform.virtual_machines.denied_networks
    blocks = []
    for cidr, version in (("0.0.0.0/0", 4), ("::/0", 6)):
        block: Obj = {"cidr": cidr}
        if excepted := sorted(str(network) for network in denied if network.version == version):
            block["except"] = excepted
        blocks.append({"ipBlock": block})
    return blocks


def _namespace(name: str) -> Obj:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def route(case: Case) -> Obj:
    expose, gateway = case.vm.spec.expose, case.platform.virtual_machines.gateway
    parent: Obj = {"group": "gateway.networking.k8s.io", "kind": "Gateway"}
    if gateway:
        parent |= {"name": gateway.name, "namespace": gateway.namespace}
        section = gateway.tls_section_name if expose and expose.tls else gateway.section_name
        if section:
            parent["sectionName"] = section
    backend = {"group": "", "kind": "Service", "name": case.name, "port": exposed_port(case), "weight": 1}
    match = {"path": {"type": "PathPrefix", "value": "/"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": _meta(case),
        "spec": {
            "parentRefs": [parent],
            "hostnames": [expose.host] if expose else [],
            "rules": [{"matches": [match], "backendRefs": [backend]}],
        },
    }


def ingress(case: Case) -> Obj:
    expose, ingress_class = case.vm.spec.expose, case.platform.virtual_machines.ingress_class
    host = expose.host if expose else ""
    backend = {"service": {"name": case.name, "port": {"number": exposed_port(case)}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    spec: Obj = {"rules": [{"host": host, "http": {"paths": [path]}}]}
    if ingress_class:
        spec["ingressClassName"] = ingress_class
    if expose and expose.tls:
        spec["tls"] = [{"hosts": [host], "secretName": f"{case.name}-tls"}]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": _meta(case), "spec": spec}


def _refused(case: Case) -> Condition | None:
    """What the gateway says against the route. An Ingress tells nothing of that kind."""
    if not by_gateway(case):
        return None
    parents = ((case.child(HTTPROUTE, case.name) or {}).get("status") or {}).get("parents") or ()
    if not parents:
        return _waiting("no gateway has taken the route yet")
    for parent in parents:
        for kind in ("Accepted", "ResolvedRefs"):
            found = pods.condition({"status": parent}, kind)
            if found.get("status") == "False":
                return _waiting(f"the gateway refuses the route: {found.get('message')}")
    return None


def _waiting(message: str) -> Condition:
    return Condition("Exposed", False, Reason.WAITING, message)
