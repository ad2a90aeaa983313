# SPDX-License-Identifier: Apache-2.0
"""Pods on the dev cluster: they run, talk, are resized, and the API server writes down who did what."""

from __future__ import annotations

import http.client
import json

import pytest

from cairn_devcluster.workbench import Namespace, pod, until
from devcluster import Cluster

pytestmark = pytest.mark.pods

# An HTTP server of bash and perl, which the PostgreSQL image has anyway.
_ANSWER = (
    "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die;"
    'while (my $c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\n\\r\\nhello from $ENV{HOSTNAME}\\n"; close $c }'
)
_PORT_READY = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}


def test_pod_runs_with_logs_and_exec(namespace: Namespace) -> None:
    namespace.run(pod("hello", "bash", "-c", "echo hello from $HOSTNAME; exec sleep infinity"))
    assert namespace.kubectl("logs", "hello") == "hello from hello\n"
    assert namespace.exec("hello", "id", "-u").strip() == "999"


def test_service_is_reached_by_name_and_by_node_port(namespace: Namespace, devcluster: Cluster) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    namespace.apply(service)
    namespace.run(pod("web", "perl", "-e", _ANSWER, container=_PORT_READY), pod("client"))
    ask = "exec 3<>/dev/tcp/web/80; echo GET / >&3; cat <&3"
    until(
        "the service by name", lambda: "hello from web" in namespace.exec("client", "timeout", "3", "bash", "-c", ask)
    )

    node_port = namespace.get("service", "web")["spec"]["ports"][0]["nodePort"]
    connection = http.client.HTTPConnection(devcluster.address, node_port, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"hello from web\n"
    connection.close()


def test_pod_is_resized_in_place(namespace: Namespace) -> None:
    limits = {"limits": {"cpu": "200m", "memory": "64Mi"}}
    namespace.run(pod("sized", container={"resources": limits}))

    def memory_limit() -> str:
        files = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
        return namespace.exec("sized", "bash", "-c", f"cat {files} 2>/dev/null || true").strip()

    assert memory_limit() == str(64 << 20)
    larger = {"limits": {"memory": "96Mi"}, "requests": {"memory": "96Mi"}}
    patch = json.dumps({"spec": {"containers": [{"name": "main", "resources": larger}]}})
    namespace.kubectl("patch", "pod", "sized", "--subresource=resize", "--patch", patch)
    until("the new limit in the cgroup", lambda: memory_limit() == str(96 << 20))
    assert namespace.get("pod", "sized")["status"]["containerStatuses"][0]["restartCount"] == 0


def test_write_is_in_the_audit_log(namespace: Namespace, devcluster: Cluster) -> None:
    namespace.kubectl("create", "configmap", "audited")

    def written() -> list[str]:
        events = [e for e in devcluster.audit_events() if e["verb"] == "create" and "objectRef" in e]
        mine = [e for e in events if e["objectRef"].get("namespace") == namespace.name]
        return [e["user"]["username"] for e in mine if e["objectRef"].get("name") == "audited"]

    assert until("an audit entry", written) == ["admin"]
