# SPDX-License-Identifier: Apache-2.0
"""SellerVM: a machine of the seller's, and the clones that a promotion or load raises beside it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import (
    NAME_IS_LABEL,
    NAME_LENGTH,
    Cost,
    Count,
    CustomObject,
    HostName,
    Model,
    NameRef,
    NamespaceName,
    ObjectName,
    Quantity,
    Status,
    listed,
)
from cairn.api.rules import Rule, between
from cairn.api.schedule import Duration, Keep, Maintenance, Moment, Next, PlanStatus, VMParticipation, ZoneName
from cairn.api.vm_rules import AUTOSCALE_RULES, IMAGE_RULES, KEEP_RULES, RESOURCES_RULES, SPEC_RULES

Port = Annotated[int, Field(ge=1, le=65535)]


class VMResources(Model):
    """A size of one's own, instead of a plan."""

    rules: ClassVar[tuple[Rule, ...]] = RESOURCES_RULES

    cpu: Quantity
    """vCPU, a whole number."""
    memory: Quantity
    """Memory of the guest, a multiple of 2Mi."""


class HttpImage(Model):
    """A disk image that is downloaded."""

    url: Annotated[str, Field(max_length=2048, pattern=r"^https?://[^\s]+$")]
    """Where it lies: raw or qcow2, also compressed."""
    checksum: Annotated[str, Field(max_length=135, pattern=r"^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$")]
    """sha256:… or sha512:… of the file: what is downloaded is refused if it differs."""


class RegistryImage(Model):
    """A disk image in a container registry."""

    url: Annotated[str, Field(max_length=2048, pattern=r"^docker://[^\s@]+@sha256:[0-9a-f]{64}$")]
    """docker://registry/repository@sha256:…: by its digest, so that it is always the same."""
    pull_method: Literal["Node", "Pod"] = "Pod"
    """Who pulls it: Node uses the node's own image store and credentials."""


class Image(Model):
    """What the first disk is made from. Exactly one of these. Read once: a machine that stands keeps its disk."""

    rules: ClassVar[tuple[Rule, ...]] = IMAGE_RULES

    name: ObjectName | None = None
    """An image of the platform: a DataSource in the platform's image namespace."""
    snapshot: ObjectName | None = None
    """A VolumeSnapshot in this namespace."""
    pvc: ObjectName | None = None
    """A PersistentVolumeClaim in this namespace, which nothing may use meanwhile."""
    from_vm: Annotated[ObjectName | None, Field(alias="fromVM")] = None
    """Another SellerVM in this namespace: a snapshot of its disk is taken and the new machine made from it."""
    registry: RegistryImage | None = None
    """A container disk in a registry."""
    http: HttpImage | None = None
    """A file that is downloaded."""


class Disk(Model):
    """The machine's disk."""

    rules: ClassVar[tuple[Rule, ...]] = (between("disk.size", "1Mi", "1Pi"),)

    size: Quantity | None = None
    """Its size; by default what the plan includes. It can grow and never shrinks."""
    storage_class: Annotated[str | None, Field(min_length=1, max_length=253)] = None
    """StorageClass; by default the cluster's. Immutable."""


class Ssh(Model):
    """Who may log in by SSH."""

    keys_secret_ref: NameRef
    """Secret whose values are public keys, one a line. Read when the machine starts."""


class CloudInit(Model):
    """What the guest does at its first start."""

    secret_ref: NameRef
    """Secret with the key userdata: cloud-init user data. Read when the machine starts."""


class VMPort(Model):
    """A TCP port of the guest that others may reach."""

    name: Annotated[str, Field(min_length=1, max_length=15, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the port."""
    port: Port
    """Its number, in the guest and on the Service."""


class Expose(Model):
    """A host name by which the machine and its clones are reached from outside."""

    host: HostName
    """One of the Seller's hosts."""
    port: Annotated[str, Field(min_length=1, max_length=15)]
    """Name of one of spec.ports."""
    tls: bool = False
    """HTTPS at the edge: by the Gateway's listener, or for an Ingress by the Secret <name>-tls."""


class VMAccess(Model):
    """Who may connect to the machine's ports, beside what exposes it."""

    from_namespaces: Annotated[tuple[NamespaceName, ...], Field(max_length=32, json_schema_extra=listed())] = ()
    """Namespaces whose pods may connect; everything else is denied, the seller's own pods excepted."""


class VMKeep(Keep):
    """How many snapshots are kept; at least one of the two."""

    rules: ClassVar[tuple[Rule, ...]] = KEEP_RULES


class Snapshots(Model):
    """Snapshots of the disk by the calendar."""

    schedule: Annotated[str, Field(min_length=9, max_length=100, pattern=r"^\S+ \S+ \S+ \S+ \S+$")]
    """When, as a cron expression of five fields."""
    time_zone: ZoneName = "UTC"
    """IANA zone of the schedule."""
    keep: VMKeep
    """How many are kept. Others that nobody asked for by an Operation are deleted."""


class Clones(Model):
    """How many clones load may raise outside of promotions."""

    min: Annotated[int, Field(ge=0, le=1000)] = 0
    """Clones that always stand."""
    max: Annotated[int, Field(ge=0, le=1000)]
    """The most that load may raise."""


class Autoscale(Model):
    """Clones by load."""

    rules: ClassVar[tuple[Rule, ...]] = AUTOSCALE_RULES

    clones: Clones
    """How many."""
    cpu: Annotated[int, Field(ge=10, le=95)] = 70
    """Load that a machine should have, in % of its vCPU."""
    drain: Duration = "60s"
    """How long a clone that goes gets no new connections before it is stopped."""


class SellerVMSpec(Model):
    """The machine that the seller wants. Exactly one of planRef and resources says how big."""

    rules: ClassVar[tuple[Rule, ...]] = SPEC_RULES

    plan_ref: NameRef | None = None
    """ServicePlan for a SellerVM: size and price."""
    resources: VMResources | None = None
    """A size of one's own, instead of a plan."""
    image: Image
    """What the first disk is made from."""
    disk: Disk = Disk()
    """The machine's disk."""
    power_state: Literal["Running", "Stopped"] = "Running"
    """Whether it runs. Clones run only while the base does."""
    ssh: Ssh | None = None
    """Who may log in by SSH."""
    cloud_init: CloudInit | None = None
    """What the guest does at its first start."""
    ports: Annotated[tuple[VMPort, ...], Field(max_length=16, json_schema_extra=listed("name"))] = ()
    """TCP ports that others may reach. The first one tells whether a machine is ready for traffic."""
    expose: Expose | None = None
    """A host name by which it is reached from outside."""
    access: VMAccess = VMAccess()
    """Who may connect."""
    snapshots: Snapshots | None = None
    """Snapshots of the disk by the calendar."""
    autoscale: Autoscale | None = None
    """Clones by load."""
    promotions: Annotated[tuple[VMParticipation, ...], Field(max_length=16, json_schema_extra=listed("name"))] = ()
    """Promotions that the machine takes part in: the seller pays, so the seller decides."""
    maintenance: Maintenance | None = None
    """When Cairn may restart the machine for what can't be changed while it runs."""
    deletion_policy: Literal["Delete", "Retain", "Snapshot"] = "Retain"
    """What becomes of the disk when this object is deleted. Snapshot takes one and deletes the disk then."""
    adopt: bool = False
    """Take over the disk that an earlier SellerVM of this name left."""
    suspend: bool = False
    """Cairn changes nothing while this is true, and says so in the condition Suspended."""


class VMSize(Model):
    """How big the machine is."""

    cpu: Quantity | None = None
    """vCPU of the running guest."""
    memory: Quantity | None = None
    """Memory of the running guest."""


class Machine(Model):
    """The base machine as it runs."""

    phase: Annotated[str, Field(max_length=64)] | None = None
    """What KubeVirt says: Running, Stopped, Provisioning, …"""
    ready: bool = False
    """Whether it answers."""
    node: Annotated[str, Field(max_length=253)] | None = None
    """The node it runs on."""
    address: Annotated[str, Field(max_length=64)] | None = None
    """Its address in the cluster."""


class DiskStatus(Model):
    """A disk that stands."""

    name: Annotated[str, Field(max_length=253)]
    """Name of DataVolume and PersistentVolumeClaim."""
    size: Quantity | None = None
    """Capacity."""
    phase: Annotated[str, Field(max_length=64)] | None = None
    """What CDI says while it is being made, then Succeeded."""
    progress: Annotated[str, Field(max_length=32)] | None = None
    """How far a copy or download is."""
    in_use: bool = False
    """Whether the machine has it. Others were replaced by a restore and are kept."""


class CloneStatus(Model):
    """The clones."""

    floor: Count = 0
    """How many should stand at least now."""
    ceiling: Count = 0
    """How many load may raise now."""
    replicas: Count = 0
    """How many there are."""
    ready: Count = 0
    """How many get traffic."""
    draining: Annotated[str, Field(max_length=253)] | None = None
    """The clone that goes next and gets no new connections."""
    source: Annotated[str, Field(max_length=253)] | None = None
    """The VolumeSnapshot they are made from."""


class LastSnapshot(Model):
    """The newest snapshot of the disk."""

    name: Annotated[str, Field(max_length=253)]
    """Name of the VolumeSnapshot."""
    at: Moment
    """When it was taken."""
    consistency: Annotated[str, Field(json_schema_extra={"enum": ["Crash", "Filesystem"]})]
    """Filesystem: the guest's agent froze its file systems; Crash: as after a power loss."""


class SellerVMStatus(Status):
    """What Cairn found and did."""

    machine: Machine | None = None
    """The base machine as it runs."""
    size: VMSize | None = None
    """How big the running guest is."""
    disks: Annotated[tuple[DiskStatus, ...], Field(max_length=32, json_schema_extra=listed("name"))] = ()
    """Disks that stand."""
    clones: CloneStatus | None = None
    """The clones."""
    last_snapshot: LastSnapshot | None = None
    """The newest snapshot of the disk."""
    service: Annotated[str, Field(max_length=253)] | None = None
    """Name of the Service that reaches the machine and its clones."""
    url: Annotated[str, Field(max_length=300)] | None = None
    """Where it is reached from outside."""
    plan: PlanStatus | None = None
    """The plan in force, and where it is going."""
    next: Next | None = None
    """What happens next by the calendar."""
    cost: Cost | None = None
    """What it costs."""


class SellerVM(CustomObject):
    """A machine for one seller with its disk and a life of its own, and the clones that a peak needs of it."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_LENGTH, NAME_IS_LABEL)

    kind: Literal["SellerVM"] = "SellerVM"
    spec: SellerVMSpec
    """The machine that the seller wants."""
    status: SellerVMStatus = SellerVMStatus()
    """What Cairn found and did."""
