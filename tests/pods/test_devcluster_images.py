# SPDX-License-Identifier: Apache-2.0
"""The images made here run as the operator's charts run them: without root and with a read-only root file system."""

from __future__ import annotations

import pytest

from cairn_devcluster.images import NATS_REF, OPERATOR_REF
from cairn_devcluster.workbench import Namespace, Obj, claim, mounting, pod, until
from devcluster import Cluster, operator_image

pytestmark = pytest.mark.pods


def restricted(spec: Obj) -> Obj:
    main = spec["spec"]["containers"][0]
    main["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return spec


def test_postgresql_runs_on_a_volume_as_user_999(namespace: Namespace) -> None:
    namespace.apply(claim("data", "512Mi"))
    start = (
        "set -e; [ -f /data/pg/PG_VERSION ] || initdb -D /data/pg -U postgres -A trust --no-sync >/dev/null;"
        "exec postgres -D /data/pg -k /tmp"
    )
    database = restricted(pod("db", "bash", "-c", start, **mounting("data")))
    database["spec"]["containers"][0]["readinessProbe"] = {
        "exec": {"command": ["pg_isready", "-h", "127.0.0.1"]},
        "periodSeconds": 1,
    }
    database["spec"]["volumes"].append({"name": "tmp", "emptyDir": {}})
    database["spec"]["containers"][0]["volumeMounts"].append({"name": "tmp", "mountPath": "/tmp"})
    namespace.run(database)
    ask = ("psql", "-h", "127.0.0.1", "-U", "postgres", "-Atc")
    assert namespace.exec("db", *ask, "show server_version_num").startswith("17")
    assert namespace.exec("db", *ask, "select datcollate from pg_database limit 1").strip() == "C.UTF-8"
    assert namespace.exec("db", "stat", "-c", "%u:%g", "/data/pg").strip() == "999:999"


def test_nats_serves_jetstream_from_a_volume(namespace: Namespace) -> None:
    namespace.apply(claim("store", "320Mi"))
    bus = restricted(
        pod("bus", "nats-server", "-js", "-sd", "/data", "-m", "8222", image=NATS_REF, **mounting("store"))
    )
    bus["spec"]["containers"][0]["readinessProbe"] = {
        "httpGet": {"path": "/healthz", "port": 8222},
        "periodSeconds": 1,
    }
    namespace.run(bus)
    health = f"/api/v1/namespaces/{namespace.name}/pods/bus:8222/proxy/healthz"
    assert "ok" in namespace.kubectl("get", "--raw", health)


def test_operator_image_of_this_tree_has_its_dependencies(namespace: Namespace, devcluster: Cluster) -> None:
    devcluster.import_image(operator_image())
    program = (
        "import os, ssl, zoneinfo;"
        "import aiohttp, asyncpg, cairn, cryptography, kopf, kubernetes, msgspec, nats, pydantic, yaml;"
        "zoneinfo.ZoneInfo('Asia/Shanghai'); assert ssl.create_default_context().get_ca_certs();"
        "print(os.getuid(), cairn.__file__)"
    )
    job = restricted(
        pod("operator", "python3", "-W", "error", "-c", program, image=OPERATOR_REF, restartPolicy="Never")
    )
    namespace.apply(job)
    until("the end of it", lambda: namespace.get("pod", "operator")["status"]["phase"] in ("Succeeded", "Failed"))
    assert namespace.kubectl("logs", "operator") == "65532 /opt/cairn/src/cairn/__init__.py\n"
