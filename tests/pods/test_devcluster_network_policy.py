# SPDX-License-Identifier: Apache-2.0
"""NetworkPolicy on the dev cluster holds, in both directions, and follows labels."""

from __future__ import annotations

import pytest

from cairn_devcluster.workbench import Namespace, Obj, pod, until
from devcluster import StepError

pytestmark = pytest.mark.pods

_LISTEN = (
    "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9) or die; 1 while $s->accept"
)
_PORT_READY = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}


def policy(name: str, app: str, **spec: object) -> Obj:
    body = {"podSelector": {"matchLabels": {"app": app}}, **spec}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": body}


def reaches(namespace: Namespace, client: str, address: str) -> bool:
    try:
        namespace.exec(client, "timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{address}/8080")
    except StepError:
        return False
    return True


def test_policy_allows_whom_it_names_and_denies_others(namespace: Namespace) -> None:
    namespace.run(pod("server", "perl", "-e", _LISTEN, container=_PORT_READY), pod("friend"), pod("stranger"))
    server = namespace.get("pod", "server")["status"]["podIP"]
    assert reaches(namespace, "friend", server)
    assert reaches(namespace, "stranger", server)

    friend = {"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": 8080}]}
    namespace.apply(policy("friends-only", "server", policyTypes=["Ingress"], ingress=[friend]))
    until("the stranger is denied", lambda: not reaches(namespace, "stranger", server))
    assert reaches(namespace, "friend", server)

    namespace.kubectl("label", "pod", "stranger", "app=friend", "--overwrite")
    until("the stranger became a friend", lambda: reaches(namespace, "stranger", server))

    namespace.apply(policy("no-way-out", "friend", policyTypes=["Egress"]))
    until("friends are denied the way out", lambda: not reaches(namespace, "friend", server))
