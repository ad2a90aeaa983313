# SPDX-License-Identifier: Apache-2.0
"""IntegrationApp: what a vendor's app asks for and publishes. A request, by itself nothing."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import Count, CustomObject, EntryName, Model, ObjectName, Status, listed
from cairn.api.rules import Rule
from cairn.api.schedule import Duration, Moment
from cairn.api.tenant_rules import (
    APP_NAME,
    CREDENTIAL_RULES,
    MAPPING_RULES,
    REQUEST_RULES,
    VENDOR_RULES,
    AppKey,
    ColumnName,
    ContractPin,
    JoinKey,
    Purpose,
    Texts,
)

Columns = Annotated[tuple[ColumnName, ...], Field(max_length=100, json_schema_extra=listed())]


class Vendor(Model):
    """Who made the app."""

    rules: ClassVar[tuple[Rule, ...]] = VENDOR_RULES

    name: Annotated[str, Field(min_length=1, max_length=64)]
    """The vendor's name, for people."""
    app_key: AppKey
    """The vendor's app key on the platform: the one that the seller has admitted. Immutable."""


class Request(Model):
    """Data that the app asks for."""

    rules: ClassVar[tuple[Rule, ...]] = REQUEST_RULES

    name: EntryName
    """Name of the request."""
    contract: ContractPin
    """The contract that says what the data is."""
    purpose: Purpose
    """What it is for."""
    required: Columns = ()
    """Columns of the contract without which the app does not work."""
    optional: Columns = ()
    """Columns that it can do without: status.denied lists those that the seller did not grant."""


class KeyMapping(Model):
    """The column that joins a published table to the seller's orders and buyers."""

    rules: ClassVar[tuple[Rule, ...]] = MAPPING_RULES

    column: ColumnName
    """Column of the published table."""
    key_type: JoinKey
    """What it holds: tid, an order; ouid, a buyer within one shop; omid, a member across shops."""
    shop_column: ColumnName | None = None
    """For ouid: the column with the shop's number. Without it an ouid that two shops know is a conflict."""


class Publication(Model):
    """A table that the app writes and others may be granted."""

    name: ColumnName
    """Name of the table."""
    contract: ContractPin
    """The contract that it is made from."""
    mapping: KeyMapping | None = None
    """By what its rows join. Without it no other app can be granted the table."""


class Credentials(Model):
    """The login that the app gets."""

    rules: ClassVar[tuple[Rule, ...]] = CREDENTIAL_RULES

    rotate_every: Duration = "30d"
    """How often it gets a new password, with a new login name, in the same Secret."""
    overlap: Duration = "24h"
    """How long the login before goes on working."""
    max_connections: Annotated[int, Field(ge=1, le=500)] = 20
    """Most connections that a login may have open."""
    statement_timeout: Duration = "30s"
    """How long a statement may take, unless the session says otherwise."""


class IntegrationAppSpec(Model):
    """What a vendor's app asks for and publishes."""

    vendor: Vendor
    """Who made the app."""
    requests: Annotated[tuple[Request, ...], Field(max_length=16, json_schema_extra=listed("name"))] = ()
    """Data that it asks for. What is effective is what the seller's grants and this have in common."""
    publishes: Annotated[tuple[Publication, ...], Field(max_length=32, json_schema_extra=listed("name"))] = ()
    """Tables that it writes and others may be granted."""
    credentials: Credentials = Credentials()
    """The login that it gets."""


class IntegrationAppStatus(Status):
    """What Cairn found."""

    tenant: ObjectName | None = None
    """The IntegrationTenant in the seller's namespace that admits the app."""
    id: Annotated[str, Field(max_length=32)] | None = None
    """Its part of the names of roles and schemas in the database."""
    secret_name: ObjectName | None = None
    """Secret in this namespace with the connection."""
    credential_generation: Count | None = None
    """How many passwords it has had."""
    granted: Texts | None = None
    """Contracts of which something is effective."""
    denied: Texts | None = None
    """Optional columns that are not granted: the app must do without."""
    pending: Texts | None = None
    """What waits for the seller's consent, with the columns."""
    verified_at: Moment | None = None
    """When its rights in the database were last found to be exactly these."""


class IntegrationApp(CustomObject):
    """A vendor's app, in the namespace that a seller's IntegrationTenant admits it to: a request for data."""

    rules: ClassVar[tuple[Rule, ...]] = (APP_NAME,)

    kind: Literal["IntegrationApp"] = "IntegrationApp"
    spec: IntegrationAppSpec
    """What a vendor's app asks for and publishes."""
    status: IntegrationAppStatus = IntegrationAppStatus()
    """What Cairn found."""
