# SPDX-License-Identifier: Apache-2.0
"""What a subscription's worker consists of on Kubernetes. Pure builders, plain dicts.

Only fields that the API server stores as they are sent: the engine compares what is wanted with what is live.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cairn.api.guards import Networks, database_egress, tcp
from cairn.api.lookup import access_label
from cairn.api.platform import Bus, Source
from cairn.api.resources import Obj

CONTAINER = "worker"
METRICS_PORT = 9090
UID = 65532
CONFIG_FILE = "worker.json"
CONFIG = f"/etc/cairn/{CONFIG_FILE}"
SECRET = "/etc/cairn/secret"
CONFIG_DIGEST, SECRET_DIGEST = "cairn.dev/config", "cairn.dev/secret"
RENEWED_FOR = "cairn.dev/renewed-for"
"""On the pod template: the pod (by uid) that was made anew because its node could not take memory back from it."""
DEFAULT_SIZE = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "384Mi"}}
"""Without a plan: enough for a shop, and at full speed for one."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker, decided: everything that the builders need. resources: canonical quantities; config_digest: of the
    settings that it was started with, where that is not told by `settings`"""

    name: str
    namespace: str
    image: str
    replicas: int
    resources: Obj
    settings: dict[str, Any]
    secret_digest: str
    operator_namespace: str
    bus: Bus
    database: str
    external: tuple[str, int] | None = None
    denied_networks: Networks = ()
    source: Source | None = None
    config_digest: str = ""
    renewed_for: str = ""

    @property
    def object_name(self) -> str:
        return object_name(self.name)


def object_name(name: str) -> str:
    return f"{name}-push"


def selector(name: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "cairn-worker",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": "push",
    }


def meta(worker: Worker) -> Obj:
    return {"name": worker.object_name, "namespace": worker.namespace, "labels": selector(worker.name)}


def settings_text(settings: dict[str, Any]) -> str:
    return json.dumps(settings, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def config_map(worker: Worker) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta(worker),
        "data": {CONFIG_FILE: settings_text(worker.settings)},
    }


def network_policy(worker: Worker) -> Obj:
    """The bus and the database, and nothing else; names are allowed by the namespace's own policy."""
    bus = [{"namespaceSelector": {"matchLabels": dict(peer.namespace_labels)}} for peer in worker.bus.peers]
    egress: list[Obj] = [{"to": bus, "ports": tcp(*bus_ports(worker.bus.url))}] if bus else []
    egress.append(database_egress(worker.database, worker.external, worker.denied_networks))
    if worker.source is not None and worker.source.networks:
        egress.append(
            {
                "to": [{"ipBlock": {"cidr": str(one)}} for one in worker.source.networks],
                "ports": tcp(_port(worker.source.url)),
            }
        )
    scraper = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": worker.operator_namespace}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": meta(worker),
        "spec": {
            "podSelector": {"matchLabels": selector(worker.name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [scraper], "ports": tcp(METRICS_PORT)}],
            "egress": egress,
        },
    }


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def bus_ports(urls: str) -> list[int]:
    """Ports of `nats://a:4222,nats://b:4222`, each once."""
    found = set()
    for url in urls.split(","):
        try:
            found.add(urlsplit(url.strip()).port or 4222)
        except ValueError:
            found.add(4222)
    return sorted(found)


def deployment(worker: Worker) -> Obj:
    """One writer: the old one is gone before the new one starts. Changed settings or credentials make it anew."""
    annotations = {
        CONFIG_DIGEST: worker.config_digest or digest(settings_text(worker.settings)),
        SECRET_DIGEST: worker.secret_digest,
    } | ({RENEWED_FOR: worker.renewed_for} if worker.renewed_for else {})
    labels = selector(worker.name) | ({} if worker.external else access_label(worker.database))
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta(worker),
        "spec": {
            "replicas": worker.replicas,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(worker.name)},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": _pod_spec(worker)},
        },
    }


def _pod_spec(worker: Worker) -> Obj:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # Time to commit what was fetched; whatever is cut off is delivered again.
        "terminationGracePeriodSeconds": 60,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "runAsGroup": UID,
            "fsGroup": UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(worker)],
        "volumes": [
            {"name": "config", "configMap": {"name": worker.object_name, "defaultMode": 0o444}},
            {"name": "secret", "secret": {"secretName": worker.object_name, "defaultMode": 0o440}},
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
    }


def _container(worker: Worker) -> Obj:
    return {
        "name": CONTAINER,
        "image": worker.image,
        "args": ["worker", "--config", CONFIG],
        "ports": [{"name": "metrics", "protocol": "TCP", "containerPort": METRICS_PORT}],
        "resources": worker.resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "livenessProbe": _probe("/healthz", period=10, failures=6),
        "readinessProbe": _probe("/readyz", period=5, failures=3),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG, "subPath": CONFIG_FILE, "readOnly": True},
            {"name": "secret", "mountPath": SECRET, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own
        ],
    }


def _probe(path: str, *, period: int, failures: int) -> Obj:
    return {
        "httpGet": {"path": path, "port": "metrics", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }
