# SPDX-License-Identifier: Apache-2.0
"""Reads objects of a live cluster, for commands that only look."""

from __future__ import annotations

from collections.abc import Iterable

from kubernetes.aio.config import ConfigException

from cairn.api.resources import Obj, Resource
from cairn.engine.cluster import Cluster, KubernetesTransport, load_configuration
from cairn.engine.errors import ApiError

NOT_FOUND = 404


class UnreachableError(Exception):
    """The cluster gave no answer, or refused."""


async def read(
    resources: Iterable[Resource], kubeconfig: str, context: str | None, namespace: str | None = None
) -> list[Obj]:
    """All objects of these kinds, in one namespace if there is one."""
    try:
        transport = KubernetesTransport(await load_configuration(kubeconfig, context))
    except (ConfigException, OSError) as error:
        raise UnreachableError(str(error)) from None
    try:
        cluster = Cluster(transport, may_write=lambda: False)
        found: list[Obj] = []
        for resource in resources:
            try:
                found += await cluster.list(resource, namespace=namespace if resource.namespaced else None)
            except (ApiError, OSError) as error:
                hint = ": is Cairn installed there?" if getattr(error, "status", 0) == NOT_FOUND else ""
                raise UnreachableError(f"{resource.plural}: {str(error).strip()}{hint}") from None
    finally:
        await transport.close()
    return found
