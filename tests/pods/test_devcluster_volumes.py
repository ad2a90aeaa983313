# SPDX-License-Identifier: Apache-2.0
"""Volumes of the dev cluster are real file systems: they grow, fill up, and are copied as they are."""

from __future__ import annotations

import pytest

from cairn_devcluster.workbench import Namespace, claim, mounting, pod, until
from devcluster import StepError

pytestmark = pytest.mark.pods

MIB = 1 << 20


def size_of(namespace: Namespace, pod_name: str) -> int:
    return int(namespace.exec(pod_name, "df", "--output=size", "-B1", "/data").split()[-1])


def test_volume_fills_up_and_grows_while_mounted(namespace: Namespace) -> None:
    namespace.apply(claim("disk", "320Mi"))
    namespace.run(pod("writer", **mounting("disk")))
    before = size_of(namespace, "writer")
    assert 200 * MIB < before < 320 * MIB

    with pytest.raises(StepError, match="No space left on device"):
        namespace.exec("writer", "dd", "if=/dev/zero", "of=/data/fill", "bs=1M", "count=400", "status=none")

    namespace.kubectl("patch", "pvc", "disk", "--patch", '{"spec":{"resources":{"requests":{"storage":"640Mi"}}}}')
    until("a larger file system", lambda: size_of(namespace, "writer") > before + 250 * MIB, seconds=90)
    namespace.exec("writer", "dd", "if=/dev/zero", "of=/data/more", "bs=1M", "count=100", "status=none")
    assert namespace.get("pod", "writer")["status"]["containerStatuses"][0]["restartCount"] == 0


def test_snapshot_restores_what_was_there_then(namespace: Namespace) -> None:
    namespace.apply(claim("original", "320Mi"))
    namespace.run(pod("writer", **mounting("original")))
    namespace.exec("writer", "bash", "-c", "echo before >/data/file; sync /data/file")
    snapshot = {
        "apiVersion": "snapshot.storage.k8s.io/v1",
        "kind": "VolumeSnapshot",
        "metadata": {"name": "then"},
        "spec": {"volumeSnapshotClassName": "csi-dev", "source": {"persistentVolumeClaimName": "original"}},
    }
    namespace.apply(snapshot)
    namespace.kubectl("wait", "--for=jsonpath={.status.readyToUse}=true", "volumesnapshot/then", "--timeout=60s")
    namespace.exec("writer", "bash", "-c", "echo after >/data/file")

    source = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "then"}
    namespace.apply(claim("restored", "320Mi", dataSource=source))
    namespace.run(pod("reader", **mounting("restored")))
    assert namespace.exec("reader", "cat", "/data/file") == "before\n"
    assert namespace.exec("writer", "cat", "/data/file") == "after\n"
