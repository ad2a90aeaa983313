# SPDX-License-Identifier: Apache-2.0
"""IntegrationTenant: who works with a seller's data: the seller's accounts, the apps admitted, and what is granted."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cairn.api.base import (
    NAME_IS_LABEL,
    NAME_LENGTH,
    Count,
    CustomObject,
    DatabaseName,
    EntryName,
    Model,
    NameRef,
    NamespaceName,
    ObjectName,
    ShopId,
    Status,
    listed,
)
from cairn.api.contract import MaskKind
from cairn.api.rules import Rule
from cairn.api.schedule import Duration, Moment, Next
from cairn.api.tenant_rules import (
    APP_RULES,
    COLUMN_RULES,
    GRANT_RULES,
    TABLE_RULES,
    TENANT_RULES,
    AppKey,
    AppName,
    ColumnName,
    ContractPin,
    JoinKey,
    Purpose,
    Texts,
)

Role = Literal["finance", "operator", "owner", "support", "viewer"]


class Account(Model):
    """Somebody of the seller's staff. The group cairn:<seller id>:<name> of the platform's single sign-on has them."""

    name: EntryName
    """Name of the account: the last part of its group."""
    role: Role
    """What it may do. owner: everything, and see all data. operator: run things by Operations, see no data. finance:
    costs, and data without what is personal. support: data with what is personal masked. viewer: look at objects."""


class Opening(Model):
    """A network outside that an app may connect to."""

    name: EntryName
    """Name of this entry."""
    cidr: Annotated[str, Field(max_length=43, pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")]
    """The network, such as 203.0.113.0/24."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """TCP port."""


class AppAccess(Model):
    """Who may connect to an app's pods."""

    from_namespaces: Annotated[tuple[NamespaceName, ...], Field(max_length=32, json_schema_extra=listed())] = ()
    """Namespaces whose pods may connect, such as that of an ingress controller; everything else is denied."""


class App(Model):
    """An app that may be installed, in the namespace cairn-<seller id>-<name> that Cairn makes for it."""

    rules: ClassVar[tuple[Rule, ...]] = APP_RULES

    name: AppName
    """Name of the app. Its IntegrationApp has the same."""
    vendor_app_key: AppKey
    """The vendor's app key on the platform: no other vendor's app is served there. Immutable."""
    developers: Annotated[tuple[EntryName, ...], Field(max_length=16, json_schema_extra=listed())] = ()
    """Developers of the vendor's who may install and run the app in its namespace: each by the last part of the group
    cairn:isv:<vendorAppKey>:<developer>."""
    plan_ref: NameRef
    """ServicePlan for an IntegrationApp: the quota of its namespace."""
    access: AppAccess = AppAccess()
    """Who may connect to its pods."""
    egress: Annotated[tuple[Opening, ...], Field(max_length=16, json_schema_extra=listed("name"))] = ()
    """What its pods may connect to beside this seller's database and the cluster's DNS."""


class GrantedColumn(Model):
    """A column and how it is shown: the stricter of this and the contract's mask counts."""

    rules: ClassVar[tuple[Rule, ...]] = COLUMN_RULES

    name: ColumnName
    """Name of the column in the contract."""
    mask: MaskKind
    """plain: as it is. bucket: rounded. partial: 138****1234. hmac-shared: a pseudonym that is the same for all apps of
    the grant's group. hmac: a pseudonym that only this app knows. null: empty."""
    bucket: Annotated[str, Field(max_length=12, pattern=r"^(day|month|[1-9][0-9]{0,11})$")] | None = None
    """For the mask bucket: day or month of a time, or the width of a number's range, such as 100."""


class GrantedTable(Model):
    """A table, and which of its columns."""

    rules: ClassVar[tuple[Rule, ...]] = TABLE_RULES

    from_: Annotated[
        str, Field(alias="from", max_length=104, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\.[a-z][a-z0-9_]{0,62}$")
    ]
    """platform.<dataset> for what the platform pushes, such as platform.trades; <app>.<table> for what another app of
    this tenant publishes."""
    columns: Annotated[tuple[GrantedColumn, ...], Field(min_length=1, max_length=100, json_schema_extra=listed("name"))]
    """Columns. What is not listed does not exist for the app."""
    join_on: JoinKey | None = None
    """For a table of another app: the key that its rows join the seller's orders and buyers on: tid, ouid or omid, and
    the one that the publication is mapped by."""


class Rows(Model):
    """Which rows."""

    shops: Annotated[tuple[ShopId, ...], Field(min_length=1, max_length=64, json_schema_extra=listed())]
    """Rows of these shops alone, of those in spec.shops."""
    window: Annotated[str, Field(max_length=5, pattern=r"^[1-9][0-9]{0,3}d$")] | None = None
    """Rows of the last so many days, such as 90d; without it, of all."""


class Grant(Model):
    """The seller's consent: what one app may see, for what, and until when."""

    rules: ClassVar[tuple[Rule, ...]] = GRANT_RULES

    name: EntryName
    """Name of the grant."""
    app: AppName
    """The app in spec.apps that it is for."""
    contract: ContractPin
    """The contract that was read when this was granted."""
    tables: Annotated[tuple[GrantedTable, ...], Field(min_length=1, max_length=8, json_schema_extra=listed("from"))]
    """What is shown."""
    rows: Rows
    """Which rows of it."""
    purpose: Purpose
    """What it is for. A request for another purpose gets nothing."""
    expires_at: Moment
    """When it ends, at most 366 days ahead. It ends then also while Cairn is down."""
    group: EntryName | None = None
    """For columns with the mask hmac-shared: grants of the same group show the same pseudonyms, so that their apps can
    join on them."""


class Revocation(Model):
    """How access is taken away."""

    sessions: Literal["Terminate"] = "Terminate"
    """What becomes of open database sessions of an app that loses something: they are ended."""
    deadline: Duration = "30s"
    """By when they must have ended; else AclVerified says which have not."""


class IntegrationTenantSpec(Model):
    """Who works with the seller's data, and how."""

    rules: ClassVar[tuple[Rule, ...]] = TENANT_RULES

    database_ref: NameRef
    """SellerRDS in the same namespace that holds the data. Immutable."""
    database_name: DatabaseName | None = None
    """Database of that server; needed where it has several. Immutable."""
    shops: Annotated[tuple[ShopId, ...], Field(min_length=1, max_length=64, json_schema_extra=listed())]
    """Numbers of the shops whose data is shared: shops of the Seller whose namespace this is."""
    accounts: Annotated[tuple[Account, ...], Field(max_length=64, json_schema_extra=listed("name"))] = ()
    """The seller's staff. Changing them needs the verb `delegate` on this IntegrationTenant."""
    apps: Annotated[tuple[App, ...], Field(max_length=32, json_schema_extra=listed("name"))] = ()
    """Apps that are admitted. Changing them needs the verb `delegate`. One that is removed loses its access at once;
    its namespace is kept."""
    grants: Annotated[tuple[Grant, ...], Field(max_length=64, json_schema_extra=listed("name"))] = ()
    """What the seller consents to. Changing it needs the verb `consent` on this IntegrationTenant."""
    revocation: Revocation = Revocation()
    """How access is taken away."""
    suspend: bool = False
    """Cairn changes nothing while this is true, and says so in the condition Suspended. Grants end all the same."""


class AppStatus(Model):
    """How one app stands."""

    name: AppName
    """Name of the app."""
    namespace: Annotated[str, Field(max_length=63)] | None = None
    """Its namespace, once it stands."""
    uid: Annotated[str, Field(max_length=64)] | None = None
    """The IntegrationApp that is served, by its uid."""
    id: Annotated[str, Field(max_length=32)] | None = None
    """Its part of the names of roles and schemas in the database."""
    state: Annotated[str, Field(max_length=32)] | None = None
    """Where it stands, in one word."""
    reason: Annotated[str, Field(max_length=64)] | None = None
    """Why it is not given what it can't do without, as one word."""
    message: Annotated[str, Field(max_length=1024)] | None = None
    """The same for people."""
    effective_hash: Annotated[str, Field(max_length=80)] | None = None
    """Hash of all that it may see now: the same hash, the same rights."""
    granted: Texts | None = None
    """Contracts of which something is effective."""
    denied: Texts | None = None
    """Optional columns that it asked for and is not given."""
    pending: Texts | None = None
    """What it asks for and what waits for consent, with the columns."""
    tables: Count | None = None
    """How many tables it can read."""
    sessions: Count | None = None
    """Database sessions that it has open, as of the last look."""
    secret_name: ObjectName | None = None
    """Secret in its namespace with the connection."""
    credential_generation: Count | None = None
    """How many passwords it has had."""
    verified_at: Moment | None = None
    """When its rights in the database were last found to be exactly these."""


class PublicationStatus(Model):
    """How a table that an app publishes stands."""

    name: Annotated[str, Field(max_length=104)]
    """<app>.<table>."""
    rows: Count = 0
    """Rows in it."""
    mapped: Count = 0
    """Rows whose key names exactly one order or buyer."""
    unmapped: Count = 0
    """Rows whose key names none."""
    conflicts: Count = 0
    """Rows whose key names several: they are shown to nobody."""


class IntegrationTenantStatus(Status):
    """What Cairn found and did."""

    database: Annotated[str, Field(max_length=63)] | None = None
    """The database that is shared."""
    design_id: Annotated[str, Field(max_length=32)] | None = None
    """The database's part of generated names, written before anything is made there."""
    consent_hash: Annotated[str, Field(max_length=64)] | None = None
    """Hash of the grants that the audit tells of."""
    verified_at: Moment | None = None
    """When all rights in the database were last found to be exactly what is effective, and no session open that may not
    be."""
    apps: Annotated[tuple[AppStatus, ...], Field(max_length=64, json_schema_extra=listed("name"))] = ()
    """How each app stands; one that was removed until its access is gone."""
    publications: Annotated[tuple[PublicationStatus, ...], Field(max_length=128, json_schema_extra=listed("name"))] = ()
    """How tables that apps publish stand."""
    erased: (
        Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=64, json_schema_extra=listed())]
        | None
    ) = None
    """Operations of the action erase that are done, by uid, while they exist."""
    next: Next | None = None
    """What happens next by the calendar."""


class IntegrationTenant(CustomObject):
    """Accounts, apps and consent on one seller's data: each party sees in the database exactly what was granted."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_LENGTH, NAME_IS_LABEL)

    kind: Literal["IntegrationTenant"] = "IntegrationTenant"
    spec: IntegrationTenantSpec
    """Who works with the seller's data, and how."""
    status: IntegrationTenantStatus = IntegrationTenantStatus()
    """What Cairn found and did."""
