# SPDX-License-Identifier: Apache-2.0
"""What a database server consists of on Kubernetes. Pure builders, plain dicts.

Only fields that the API server stores as they are sent, and quantities in its own spelling: the engine compares what
is wanted with what is live.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cairn.api.lookup import access_label
from cairn.api.resources import Obj
from cairn.rds import config

VERSION_ANNOTATION = "cairn.dev/postgresql-version"
IDENTITY_ANNOTATION = "cairn.dev/system-identifier"
PARAMETERS_ANNOTATION = "cairn.dev/parameters"
CONTAINER = "postgresql"


@dataclass(frozen=True, slots=True)
class Server:
    """A database server, decided: everything that the builders need. Quantities are canonical."""

    name: str
    namespace: str
    version: str
    image: str
    cpu: str
    memory: str
    storage_class: str | None
    parameters: dict[str, str]
    operator_namespace: str
    from_namespaces: tuple[str, ...] = ()
    replicas: int = 1

    @property
    def pod(self) -> str:
        return f"{self.name}-0"

    @property
    def claim(self) -> str:
        return claim_name(self.name)


def claim_name(name: str) -> str:
    return f"{name}-data"


def host(name: str, namespace: str) -> str:
    """Name of the Service, as clients anywhere in the cluster reach it."""
    return f"{name}.{namespace}.svc"


def host_names(name: str, namespace: str) -> tuple[str, ...]:
    """Every name that the server's certificate must hold."""
    pod = f"{name}-0.{name}-pods.{namespace}.svc"
    service = host(name, namespace)
    return (service, name, f"{name}.{namespace}", f"{service}.cluster.local", pod, f"{pod}.cluster.local", "localhost")


def selector(name: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "postgresql",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": "database",
    }


def _meta(server: Server, name: str) -> Obj:
    return {"name": name, "namespace": server.namespace, "labels": selector(server.name)}


def claim(server: Server, *, size: str, identity: str | None) -> Obj:
    """The data volume. It knows what it holds: the version and the engine's own identity of the data."""
    annotations = {VERSION_ANNOTATION: server.version} | ({IDENTITY_ANNOTATION: identity} if identity else {})
    spec: Obj = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    if server.storage_class:
        spec["storageClassName"] = server.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _meta(server, server.claim) | {"annotations": annotations},
        "spec": spec,
    }


def config_map(server: Server) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _meta(server, f"{server.name}-config"),
        "data": config.data(server.parameters),
    }


def service(server: Server) -> Obj:
    """Where clients connect."""
    ports = [{"name": CONTAINER, "protocol": "TCP", "port": config.PORT, "targetPort": CONTAINER}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(server, server.name),
        "spec": {"type": "ClusterIP", "selector": selector(server.name), "ports": ports},
    }


def headless_service(server: Server) -> Obj:
    """Gives the pod its name."""
    obj = service(server)
    obj["metadata"]["name"] = f"{server.name}-pods"
    obj["spec"]["clusterIP"] = "None"
    return obj


def disruption_budget(server: Server) -> Obj:
    """A drain may take the only pod: blocking it would block the node for good."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _meta(server, server.name),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(server.name)}},
    }


def ingress_policy(server: Server) -> Obj:
    """Who may connect: pods labelled for it, the operator, and the namespaces that the spec names."""
    peers: list[Obj] = [
        {"podSelector": {"matchLabels": access_label(server.name)}},
        _namespace_peer(server.operator_namespace),
        *(_namespace_peer(namespace) for namespace in sorted(set(server.from_namespaces))),
    ]
    ports = [{"protocol": "TCP", "port": config.PORT}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(server, server.name),
        "spec": {
            "podSelector": {"matchLabels": selector(server.name)},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": peers, "ports": ports}],
        },
    }


def client_policy(server: Server) -> Obj:
    """The other half: pods labelled for it may reach the server, although the namespace denies what leaves."""
    ports = [{"protocol": "TCP", "port": config.PORT}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _meta(server, f"{server.name}-clients"),
        "spec": {
            "podSelector": {"matchLabels": access_label(server.name)},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"podSelector": {"matchLabels": selector(server.name)}}], "ports": ports}],
        },
    }


def _namespace_peer(name: str) -> Obj:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def stateful_set(server: Server) -> Obj:
    """Rendering 1. OnDelete: nothing here restarts a server, whatever changes."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": _meta(server, server.name),
        "spec": {
            "replicas": server.replicas,
            "serviceName": f"{server.name}-pods",
            "updateStrategy": {"type": "OnDelete"},
            "selector": {"matchLabels": selector(server.name)},
            "template": {
                "metadata": {
                    "labels": selector(server.name),
                    "annotations": {PARAMETERS_ANNOTATION: parameters_text(server.parameters)},
                },
                "spec": _pod_spec(server),
            },
        },
    }


def parameters_text(parameters: dict[str, str]) -> str:
    """Those that a pod keeps until it is made anew: compared with the wanted ones, they tell whether it has to be."""
    return " ".join(f"{key}={parameters[key]}" for key in config.AT_START)


def parameters_of(obj: Obj | None) -> dict[str, str]:
    """Those that a pod was started with, or that a template starts it with."""
    text = (((obj or {}).get("metadata") or {}).get("annotations") or {}).get(PARAMETERS_ANNOTATION) or ""
    return dict(pair.split("=", 1) for pair in str(text).split() if "=" in pair)


def _pod_spec(server: Server) -> Obj:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": config.UID,
            "runAsGroup": config.UID,
            "fsGroup": config.UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        # Time for the last checkpoint; a kill in the middle means a recovery at the next start.
        "terminationGracePeriodSeconds": 120,
        "containers": [_container(server)],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": server.claim}},
            _config_volume(server, "config", ("postgresql.conf", "pg_hba.conf", "pg_ident.conf", "start.sh")),
            _config_volume(server, "passwd", ("passwd",)),
            _secret_volume("tls", f"{server.name}-tls", ("ca.crt", "tls.crt", "tls.key")),
            _secret_volume("admin", f"{server.name}-admin", ("password",)),
            {"name": "sockets", "emptyDir": {}},
            {"name": "tmp", "emptyDir": {}},
            {"name": "shm", "emptyDir": {"medium": "Memory"}},
        ],
    }


def _config_volume(server: Server, name: str, keys: Iterable[str]) -> Obj:
    items = [{"key": key, "path": key} for key in keys]
    return {"name": name, "configMap": {"name": f"{server.name}-config", "defaultMode": 0o444, "items": items}}


def _secret_volume(name: str, secret: str, keys: Iterable[str]) -> Obj:
    items = [{"key": key, "path": key} for key in keys]
    # Group-readable for fsGroup: the server takes a key that belongs to root with just these bits.
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440, "items": items}}


def _container(server: Server) -> Obj:
    size = {"cpu": server.cpu, "memory": server.memory}
    return {
        "name": CONTAINER,
        "image": server.image,
        "command": ["/bin/sh", f"{config.ETC}/start.sh"],
        "env": [
            {"name": "PG_MAJOR", "value": server.version},
            {"name": "LANG", "value": "C.UTF-8"},
            {"name": "PGUSER", "value": config.ADMIN},
            {"name": "PGDATABASE", "value": "postgres"},
        ],
        "ports": [{"name": CONTAINER, "protocol": "TCP", "containerPort": config.PORT}],
        "resources": {"requests": size, "limits": dict(size)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        # By TCP: during initdb and before the server listens nothing may look ready. A first start or a recovery
        # may take an hour; a kill in the middle of either only makes it longer.
        "startupProbe": _probe(period=1, failures=3600),
        "readinessProbe": _probe(period=5, failures=3),
        "livenessProbe": _probe(period=10, failures=6),
        # TERM would wait for every client to leave; INT ends them and writes the checkpoint.
        "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", "kill -INT 1"]}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "data", "mountPath": config.DATA},
            {"name": "config", "mountPath": config.ETC, "readOnly": True},
            {"name": "passwd", "mountPath": "/etc/passwd", "subPath": "passwd", "readOnly": True},
            {"name": "tls", "mountPath": config.TLS, "readOnly": True},
            {"name": "admin", "mountPath": config.ADMIN_PASSWORD, "readOnly": True},
            {"name": "sockets", "mountPath": config.SOCKETS},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108
        ],
    }


def _probe(*, period: int, failures: int) -> Obj:
    return {
        "tcpSocket": {"port": CONTAINER},
        "periodSeconds": period,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }
