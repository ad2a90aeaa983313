# SPDX-License-Identifier: Apache-2.0
"""Command lines of the control plane, the same for a cluster with nodes and for one without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SERVICE_RANGE = "10.96.0.0/16"

# Metadata of every request, one line each, when it is complete: tests count writes in it.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
"""


def etcd(data: Path, client: str, peer: str) -> list[str]:
    return [
        "etcd", "--name=n1", f"--data-dir={data}", "--log-level=warn",
        f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=n1={peer}",
        # The kernel outlives every kill in a test, so what was written stays without fsync.
        "--unsafe-no-fsync",
    ]  # fmt: skip


def apiserver(
    pki: Path, etcd_url: str, *, audit_policy: Path | None, audit_log: Path | None, admission: Sequence[str] = ()
) -> list[str]:
    plugins = ["NodeRestriction", "ValidatingAdmissionPolicy", *admission]
    line = [
        "kube-apiserver", f"--etcd-servers={etcd_url}", f"--cert-dir={pki}",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
        "--authorization-mode=Node,RBAC",
        f"--enable-admission-plugins={','.join(plugins)}",
        # An orderly end would otherwise take a minute when clients watch.
        "--shutdown-watch-termination-grace-period=1s",
        f"--service-cluster-ip-range={SERVICE_RANGE}", "--allow-privileged=true",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        # Without these six there is no aggregation layer.
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt",
        f"--proxy-client-key-file={pki}/front-proxy-client.key",
    ]  # fmt: skip
    if audit_policy and audit_log:
        # maxsize 0 would mean rotation at 100 MB.
        line += [f"--audit-policy-file={audit_policy}", f"--audit-log-path={audit_log}", "--audit-log-maxsize=100000"]
    return line


def controller_manager(pki: Path, kubeconfig: Path) -> list[str]:
    return [
        "kube-controller-manager", f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}", f"--authorization-kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={pki}/sa.key", f"--root-ca-file={pki}/ca.crt",
        f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
        # A service account for each of its controllers: at the default of 20 requests a second that is five seconds.
        "--kube-api-qps=300", "--kube-api-burst=600",
        "--use-service-account-credentials", "--leader-elect=false", "--controllers=*,bootstrapsigner,tokencleaner",
    ]  # fmt: skip
