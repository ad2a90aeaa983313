# SPDX-License-Identifier: Apache-2.0
"""The API server: verbs on plain dicts, errors by what a caller does about them. The only importer of `kubernetes`.

`Cluster` builds requests and reads answers; a `Transport` only sends. Tests put their faults between the two.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
import yaml
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config

from cairn import __version__
from cairn.api.resources import Obj, Ref, Resource, ref_of
from cairn.engine.errors import (
    ApiError,
    ConflictError,
    NotFoundError,
    NotLeaderError,
    RefusedError,
    UnavailableError,
)
from cairn.engine.metrics import API_REQUESTS, API_SECONDS

FIELD_MANAGER = "cairn"
STATUS_MANAGER = "cairn-status"

TLS_ENDS_SECONDS = 0.25
"""aiohttp's connections end a moment after it says that they have; what it says itself is to wait this long."""

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """One call, before it is sent. `path` starts with a slash and has no query."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON
    body: Obj | list[Obj] | None = None
    kind: str = ""

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: Obj
    retry_after_seconds: float = 0.0


class Transport(Protocol):
    """Sends one request. Raises UnavailableError where no answer came."""

    async def send(self, request: Request) -> Response: ...

    async def close(self) -> None: ...


class KubernetesTransport:
    """Through the official client's connection pool, TLS and authentication; none of its models."""

    def __init__(self, configuration: Any, *, in_flight: int = 32, timeout_seconds: float = 10.0) -> None:
        # With trust_env aiohttp reads the environment and ~/.netrc anew for every request: a tenth of a busy operator.
        configuration.client_session_kwargs = {"trust_env": False}
        configuration.proxy = configuration.proxy or _proxy(configuration.host)
        self._api = kubernetes_client.ApiClient(configuration)
        self._api.user_agent = f"cairn/{__version__}"
        self._host = configuration.host.rstrip("/")
        self._bound = asyncio.Semaphore(in_flight)
        self._timeout = timeout_seconds

    async def send(self, request: Request) -> Response:
        try:
            async with self._bound, asyncio.timeout(self._timeout):
                args = await self._api.param_serialize(
                    request.method,
                    request.path,
                    query_params=[],
                    header_params={"Content-Type": request.content_type, "Accept": JSON},
                    body=request.body,
                    auth_settings=["BearerToken"],
                )
                method, url, headers, body, *_ = args
                if request.query:
                    url = f"{url}?{urlencode(request.query)}"
                answer = await self._api.call_api(method, url, headers, body, _request_timeout=self._timeout)
                raw = await answer.read()
                retry_after = float(answer.headers.get("Retry-After", 0) or 0)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise UnavailableError(0, f"no answer from the API server: {str(error) or type(error).__name__}") from error
        try:
            parsed = msgspec.json.decode(raw) if raw else {}
        except ValueError:  # of msgspec, or of a text that is not UTF-8
            parsed = {"message": raw[:200].decode(errors="replace")}
        return Response(answer.status, parsed, retry_after)

    async def close(self) -> None:
        await self._api.close()
        await asyncio.sleep(TLS_ENDS_SECONDS)


def _proxy(host: str) -> str | None:
    """The proxy that the environment names for this URL, as curl would take it."""
    parts = urlsplit(host)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


async def load_configuration(kubeconfig: str | None, context: str | None) -> Any:
    """The named kubeconfig file and context, or, with neither, the pod's own service account.

    The ambient kubeconfig (KUBECONFIG, ~/.kube/config) is never read: it may be production's.
    Raises kubernetes' ConfigException where neither is there, or the file holds no kubeconfig.
    """
    configuration = kubernetes_client.Configuration()
    if kubeconfig:
        try:
            await kubernetes_config.load_kube_config(
                config_file=kubeconfig, context=context, client_configuration=configuration
            )
        except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
            raise kubernetes_config.ConfigException(f"{kubeconfig} is no kubeconfig: {error}") from error
    else:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
    return configuration


class Cluster:
    """Verbs on objects. Every write asks `may_write` first, so that a replica without the Lease can't.

    Idempotent calls (all but `create` and `replace`) are sent again up to twice where no answer came.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        may_write: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._transport = transport
        self._may_write = may_write
        self._sleep = sleep

    async def get(self, ref: Ref) -> Obj | None:
        try:
            return await self._call(Request("GET", _path(ref), kind=ref.resource.kind))
        except NotFoundError:
            return None

    async def served(self, api_version: str) -> Obj:
        """The APIResourceList of an API group and version; empty where it isn't served."""
        try:
            return await self._call(Request("GET", f"/apis/{api_version}", kind="APIResourceList"))
        except NotFoundError:
            return {}

    async def list(
        self, resource: Resource, *, namespace: str | None = None, labels: str = "", limit: int = 500
    ) -> list[Obj]:
        """Every object, in chunks, each with its apiVersion and kind and without managedFields."""
        return [obj async for obj in self._pages(resource, namespace, labels, limit)]

    async def _pages(self, resource: Resource, namespace: str | None, labels: str, limit: int) -> AsyncIterator[Obj]:
        query = {"limit": str(limit)} | ({"labelSelector": labels} if labels else {})
        while True:
            page = await self._call(Request("GET", resource.path(namespace), query, kind=resource.kind))
            for item in page.get("items", []):
                item["metadata"].pop("managedFields", None)
                yield {"apiVersion": resource.api_version, "kind": resource.kind, **item}
            if not (token := page.get("metadata", {}).get("continue")):
                return
            query["continue"] = token

    async def apply(self, obj: Obj, *, force: bool = True, manager: str = FIELD_MANAGER) -> Obj:
        """Server-side apply. With `force=False` a field of somebody else's is a ConflictError."""
        query = {"fieldManager": manager, "force": str(force).lower()}
        return await self._call(Request("PATCH", _path(ref_of(obj)), query, APPLY, obj, obj["kind"]))

    async def apply_status(self, obj: Obj) -> Obj:
        query = {"fieldManager": STATUS_MANAGER, "force": "true"}
        return await self._call(Request("PATCH", _path(ref_of(obj), "status"), query, APPLY, obj, obj["kind"]))

    async def create(self, obj: Obj, *, manager: str = FIELD_MANAGER) -> Obj | None:
        """None where an object of this name exists already."""
        ref = ref_of(obj)
        path = ref.resource.path(ref.namespace or None)
        try:
            query = {"fieldManager": manager}
            return await self._call(Request("POST", path, query, body=obj, kind=obj["kind"]), retry=False)
        except ConflictError:
            return None

    async def replace(self, obj: Obj) -> Obj:
        """PUT; ConflictError unless metadata.resourceVersion is the current one."""
        return await self._call(Request("PUT", _path(ref_of(obj)), body=obj, kind=obj["kind"]), retry=False)

    async def patch(self, ref: Ref, body: Obj, *, subresource: str | None = None, manager: str = FIELD_MANAGER) -> Obj:
        """JSON merge patch."""
        query = {"fieldManager": manager}
        return await self._call(Request("PATCH", _path(ref, subresource), query, MERGE, body, ref.resource.kind))

    async def delete(self, ref: Ref, *, uid: str) -> None:
        """Delete this very object; one of the same name and another uid is left alone."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._call(Request("DELETE", _path(ref), body=body, kind=ref.resource.kind))
        except (NotFoundError, ConflictError):
            return

    async def close(self) -> None:
        await self._transport.close()

    async def _call(self, request: Request, *, retry: bool = True) -> Obj:
        attempts = 3 if retry else 1
        for attempt in range(attempts):
            if request.writes and not self._may_write():
                raise NotLeaderError(f"{request.method} {request.path} not sent: this replica does not lead")
            try:
                return await self._once(request)
            except UnavailableError as error:
                if attempt + 1 == attempts:
                    raise
                pause = error.retry_after_seconds or 0.2 * 2**attempt
                await self._sleep(min(pause, 2.0) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
        raise AssertionError("unreachable")

    async def _once(self, request: Request) -> Obj:
        started = time.monotonic()
        code = "none"
        try:
            response = await self._transport.send(request)
            code = str(response.status)
        finally:
            API_REQUESTS.labels(request.method, request.kind, code).inc()
            API_SECONDS.labels(request.method).observe(time.monotonic() - started)
        if response.status < 300:
            return response.body
        raise _error(response)


def _path(ref: Ref, subresource: str | None = None) -> str:
    return ref.resource.path(ref.namespace or None, ref.name, subresource)


def _error(response: Response) -> ApiError:
    status = response.status
    message = str(response.body.get("message") or f"HTTP {status}")
    if status == 404:
        return NotFoundError(status, message)
    if status == 409:
        return ConflictError(status, message)
    if status == 429 or status >= 500:
        return UnavailableError(status, message, response.retry_after_seconds)
    return RefusedError(status, message)
