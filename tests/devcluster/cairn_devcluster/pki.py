# SPDX-License-Identifier: Apache-2.0
"""Certificates (made by `kubeone certs`) and kubeconfigs that carry them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path

from . import build


def certificates(directory: Path, *, sans: Iterable[str] = (), nodes: Iterable[str] = ()) -> None:
    """Make what is missing: CAs, the service account key, the API server's certificate and one per client."""
    subprocess.run(
        [build.binary("kubeone"), "certs", "-dir", directory, "-sans", ",".join(sans), "-nodes", ",".join(nodes)],
        check=True,
    )


def kubeconfig(path: Path, pki: Path, user: str, *, server: str, context: str, impersonate: str | None = None) -> None:
    """A kubeconfig that stands for itself: the certificates are inside. Written as JSON, which YAML readers take."""

    def data(name: str) -> str:
        return base64.b64encode((pki / name).read_bytes()).decode()

    cluster = {"server": server, "certificate-authority-data": data("ca.crt")}
    login = {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}
    if impersonate:
        login["as"] = impersonate
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster}],
        "users": [{"name": f"{context}-{user}", "user": login}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": f"{context}-{user}"}}],
        "current-context": context,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(body, indent=1))
