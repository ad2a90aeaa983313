# SPDX-License-Identifier: Apache-2.0
"""A worker inside a freeze: what would make it anew is read back from what runs, and waits. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from cairn.api import pods
from cairn.api.resources import Obj
from cairn.push import names, objects
from cairn.push.sizing import template_of


@dataclass(frozen=True, slots=True)
class Pinned:
    """The worker as it runs, the subjects that it reads, and what waits, in words."""

    worker: objects.Worker
    subjects: list[str]
    waits: tuple[str, ...]


def pinned(
    worker: objects.Worker, subjects: list[str], live: Obj | None, deployed: Obj, seller_id: str, own: Iterable[str]
) -> Pinned:
    """live: the ConfigMap; own: the seller's shops. A worker that writes shops of others is changed all the same."""
    settings = _settings(live)
    shops = settings.get("shops") or {}
    annotations = (template_of(deployed).get("metadata") or {}).get("annotations") or {}
    container = pods.spec_container(template_of(deployed))
    if not shops or not annotations or not container or not set(shops) <= set(own):
        return Pinned(worker, subjects, ())
    found = replace(
        worker,
        image=container.get("image") or worker.image,
        resources=container.get("resources") or worker.resources,
        settings=settings,
        config_digest=str(annotations.get(objects.CONFIG_DIGEST) or ""),
        secret_digest=str(annotations.get(objects.SECRET_DIGEST) or worker.secret_digest),
        replicas=max(worker.replicas, min(int((deployed.get("spec") or {}).get("replicas") or 0), 1)),
    )
    datasets = (str(dataset.get("name")) for dataset in settings.get("datasets") or ())
    reads = names.subjects(seller_id, shops, datasets)
    return Pinned(found, reads, tuple(_waits(worker, found)))


def _waits(free: objects.Worker, held: objects.Worker) -> list[str]:
    found = []
    if free.replicas < held.replicas:
        found.append("the worker is to stop")
    if free.settings != held.settings or free.secret_digest != held.secret_digest:
        found.append("the worker is to be made anew with other settings")
    if free.image != held.image:
        found.append(f"image {free.image}")
    if free.resources != held.resources:
        size = free.resources["limits"]
        found.append(f"cpu {size['cpu']}, memory {size['memory']}")
    return found


def _settings(config_map: Obj | None) -> dict[str, Any]:
    """worker.json as it stands; empty where it can't be read."""
    try:
        found = json.loads(((config_map or {}).get("data") or {}).get("worker.json") or "{}")
    except ValueError:
        return {}
    shape = isinstance(found, dict) and isinstance(found.get("shops"), dict) and isinstance(found.get("datasets"), list)
    return found if shape and all(isinstance(one, dict) for one in found["datasets"]) else {}
