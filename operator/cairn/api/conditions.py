# SPDX-License-Identifier: Apache-2.0
"""Conditions and their reasons: one vocabulary for status, events and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a condition stands as it does. Users grep for these: add, never rename."""

    READY = "Ready"
    PROGRESSING = "Progressing"
    STOPPED = "Stopped"
    SUSPENDED = "Suspended"
    DELETING = "Deleting"
    WAITING = "Waiting"
    INVALID_SPEC = "InvalidSpec"
    CONFLICT = "Conflict"
    API_ERROR = "ApiError"
    ACTION_FAILED = "ActionFailed"
    PLAN_NOT_FOUND = "PlanNotFound"
    PLAN_OF_ANOTHER_KIND = "PlanOfAnotherKind"
    PLAN_DEPRECATED = "PlanDeprecated"
    IN_USE = "InUse"
    NAMESPACE_NOT_MADE_BY_CAIRN = "NamespaceNotMadeByCairn"
    SELLER_NOT_FOUND = "SellerNotFound"
    NOT_YOUR_SHOP = "NotYourShop"
    NOT_A_SELLER_NAMESPACE = "NotASellerNamespace"
    DATABASE_NOT_FOUND = "DatabaseNotFound"
    DATABASE_NOT_READY = "DatabaseNotReady"
    DATABASE_UNREACHABLE = "DatabaseUnreachable"
    DATABASE_ADDRESS_REFUSED = "DatabaseAddressRefused"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    SECRET_NOT_FOUND = "SecretNotFound"
    CREDENTIALS_LOST = "CredentialsLost"
    DATA_EXISTS = "DataExists"
    VOLUME_LOST = "VolumeLost"
    IDENTITY_MISMATCH = "IdentityMismatch"
    STORAGE_SHRINK_REFUSED = "StorageShrinkRefused"
    STORAGE_CLASS_CANNOT_GROW = "StorageClassCannotGrow"
    QUOTA_EXCEEDED = "QuotaExceeded"
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_UNAVAILABLE = "ImageUnavailable"
    CRASH_LOOPING = "CrashLooping"
    STORAGE_PENDING = "StoragePending"
    RESTART_PENDING = "RestartPending"
    BUS_UNREACHABLE = "BusUnreachable"
    BUS_UNSAFE = "BusUnsafe"
    BACKLOG_FULL = "BacklogFull"
    DATABASE_BOUND = "DatabaseBound"
    WORKER_BOUND = "WorkerBound"
    POOL_BOUND = "PoolBound"
    DATASET_NOT_FOUND = "DatasetNotFound"
    SCHEMA_DRIFT = "SchemaDrift"
    DURABILITY_WEAK = "DurabilityWeak"
    QUARANTINED = "Quarantined"
    SOURCE_NOT_SET = "SourceNotSet"
    DIFFERENT = "Different"
    HISTORY_PENDING = "HistoryPending"
    RETENTION_SET = "RetentionSet"
    RETENTION_UNCONFIRMED = "RetentionUnconfirmed"
    PAUSED = "Paused"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    KUBEVIRT_MISSING = "KubeVirtMissing"
    KUBEVIRT_TOO_OLD = "KubeVirtTooOld"
    CDI_MISSING = "CDIMissing"
    SNAPSHOTS_MISSING = "SnapshotsMissing"
    METRICS_MISSING = "MetricsMissing"
    IMAGE_NOT_FOUND = "ImageNotFound"
    SOURCE_NOT_READY = "SourceNotReady"
    DISK_PENDING = "DiskPending"
    DISK_COPIED = "DiskCopied"
    NOT_YOUR_HOST = "NotYourHost"
    RESTART_REQUIRED = "RestartRequired"
    MIGRATION_BLOCKED = "MigrationBlocked"
    GUEST_NOT_READY = "GuestNotReady"
    FROZEN = "Frozen"
    FREEZE_BROKEN = "FreezeBroken"
    MAINTENANCE_WINDOW = "MaintenanceWindow"
    PROMOTION_NOT_FOUND = "PromotionNotFound"
    PROMOTION_OVER = "PromotionOver"
    PROMOTION_SUSPENDED = "PromotionSuspended"
    HELD = "Held"
    RESOLVED = "Resolved"
    FITS = "Fits"
    DOES_NOT_FIT = "DoesNotFit"
    NODES_ELASTIC = "NodesElastic"
    NO_WINDOW_AHEAD = "NoWindowAhead"
    VERIFIED = "Verified"
    VERIFY_FAILED = "VerifyFailed"
    LOCK_TIMEOUT = "LockTimeout"
    DRIFT_FOUND = "DriftFound"
    VALID = "Valid"
    NO_CONSENT = "NoConsent"
    GRANTED = "Granted"
    NOT_ADMITTED = "NotAdmitted"
    APP_NOT_FOUND = "AppNotFound"
    TENANT_NOT_FOUND = "TenantNotFound"
    CONTRACT_NOT_FOUND = "ContractNotFound"
    CONTRACT_MISMATCH = "ContractMismatch"
    CONTRACT_INVALID = "ContractInvalid"
    TABLE_UNKNOWN = "TableUnknown"
    COLUMN_UNKNOWN = "ColumnUnknown"
    PURPOSE_MISMATCH = "PurposeMismatch"
    GRANT_EXPIRED = "GrantExpired"
    GRANT_TOO_LONG = "GrantTooLong"
    MASK_REFUSED = "MaskRefused"
    MAPPING_CONFLICT = "MappingConflict"
    OLD_LOGIN_IN_USE = "OldLoginInUse"


@dataclass(frozen=True, slots=True)
class Condition:
    """A metav1.Condition before the engine gives it its observedGeneration and lastTransitionTime.

    `status` is True, False or None (Unknown). By kstatus, `Reconciling` and `Stalled` are listed only while True.
    """

    type: str
    status: bool | None
    reason: Reason
    message: str = ""


def ready(message: str = "", reason: Reason = Reason.READY) -> tuple[Condition, ...]:
    """It stands as asked."""
    return (Condition("Ready", True, reason, message),)


def progressing(reason: Reason, message: str, *, ready: bool | None = False) -> tuple[Condition, ...]:
    """On the way; it will get there without anybody's help."""
    return (Condition("Ready", ready, reason, message), Condition("Reconciling", True, reason, message))


def not_ready(reason: Reason, message: str) -> tuple[Condition, ...]:
    """Not up, and somebody may have to help: the message says who and how."""
    return (Condition("Ready", False, reason, message),)


def stalled(reason: Reason, message: str) -> tuple[Condition, ...]:
    """A spec that can never work: the message names field, value and remedy."""
    return (Condition("Ready", False, reason, message), Condition("Stalled", True, reason, message))
