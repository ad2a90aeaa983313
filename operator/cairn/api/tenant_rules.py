# SPDX-License-Identifier: Apache-2.0
"""What IntegrationTenant and IntegrationApp have in common, and the rules of both."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from cairn.api.base import LABEL_PATTERN, Model, ObjectName, listed
from cairn.api.contract import KeyType
from cairn.api.resources import Obj
from cairn.api.rules import Rule, immutable
from cairn.api.schedule import duration

AppName = Annotated[str, Field(pattern=LABEL_PATTERN, min_length=1, max_length=36)]
"""Short enough that cairn-<seller id>-<app> is a namespace's name."""
AppKey = Annotated[str, Field(pattern=r"^[0-9]{1,20}$", max_length=20)]
ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", max_length=63)]
Purpose = Literal["after-sales", "analytics", "finance", "fulfilment", "marketing"]
JoinKey = Annotated[KeyType, WithJsonSchema({"type": "string", "maxLength": 16})]
"""Not an enum in the schema, so that the rule can say why oaid is none."""

Texts = Annotated[tuple[Annotated[str, Field(max_length=300)], ...], Field(max_length=256, json_schema_extra=listed())]
APP_NAME = Rule(
    name="name-of-an-app",
    field="metadata.name",
    cel="self.metadata.name.size() <= 36 && !self.metadata.name.contains('.')",
    twin=lambda new, _: len(new["metadata"]["name"]) <= 36 and "." not in new["metadata"]["name"],
    message="metadata.name {value} is no app's: use the name that the seller admitted, which its namespace ends with",
)


def app_namespace(seller_id: str, app: str) -> str:
    """The namespace of an app."""
    return f"cairn-{seller_id}-{app}"


def account_group(seller_id: str, account: str) -> str:
    """The group of a seller's account, as the platform's single sign-on names it."""
    return f"cairn:{seller_id}:{account}"


def developer_group(app_key: str, developer: str) -> str:
    """The group of a vendor's developer: never that of an account, as no seller's id is `isv`."""
    return f"cairn:isv:{app_key}:{developer}"


class ContractPin(Model):
    """A contract, by name and by what stands in it."""

    name: ObjectName
    """ConfigMap with the contract under the key contract.yaml: in the seller's namespace or in one of its apps'."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]
    """Hash of its bytes, as `sha256sum contract.yaml` prints it: another text is another contract."""


def join_key(field: str, full: str) -> Rule:
    """By what tables join. oaid is the mistake that people make."""
    return Rule(
        name=f"{field.lower()}-joinable",
        field=field,
        cel=f"!has(self.{field}) || self.{field} in ['omid', 'ouid', 'tid']",
        twin=lambda new, _: new.get(field) in (None, "omid", "ouid", "tid"),
        message=f"spec.{full} {{value}} is no key that tables join on: use tid, ouid or omid; an oaid differs for each"
        " shop, app and week",
    )


def _group_given(new: Obj, _: Obj) -> bool:
    return "group" in new or all(
        column["mask"] != "hmac-shared" for table in new["tables"] for column in table["columns"]
    )


APP_RULES = (
    Rule(
        name="app-vendor-immutable",
        field="vendorAppKey",
        cel="self.vendorAppKey == oldSelf.vendorAppKey",
        twin=lambda new, old: new["vendorAppKey"] == old["vendorAppKey"],
        message="spec.apps.vendorAppKey can't be changed from {old} to {value}: admit the other vendor's app under"
        " another name",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="app-name-reserved",
        field="name",
        cel="self.name != 'platform'",
        twin=lambda new, _: new["name"] != "platform",
        message="spec.apps.name {value} is taken by what the platform pushes (platform.trades): choose another name",
    ),
)
COLUMN_RULES = (
    Rule(
        name="bucket-with-its-mask",
        field="bucket",
        cel="(self.mask == 'bucket') == has(self.bucket)",
        twin=lambda new, _: (new["mask"] == "bucket") == ("bucket" in new),
        message="spec.grants.tables.columns.bucket is for the mask bucket, which needs it (day, month or a width such"
        " as 100): add it, or remove it",
        reason="FieldValueRequired",
    ),
)
TABLE_RULES = (
    join_key("joinOn", "grants.tables.joinOn"),
    Rule(
        name="join-on-of-an-app",
        field="joinOn",
        cel="self.from.startsWith('platform.') != has(self.joinOn)",
        twin=lambda new, _: new["from"].startswith("platform.") != ("joinOn" in new),
        message="spec.grants.tables.joinOn is for tables of other apps, which need it: add the key that the app"
        " publishes the table by (tid, ouid or omid), or remove it",
        reason="FieldValueRequired",
    ),
)
GRANT_RULES = (
    Rule(
        name="shared-pseudonyms-need-a-group",
        field="group",
        cel="has(self.group) || !self.tables.exists(t, t.columns.exists(c, c.mask == 'hmac-shared'))",
        twin=_group_given,
        message="spec.grants.group is missing: the mask hmac-shared shows the same pseudonyms to all apps whose grants"
        " name the same group, so name one",
        reason="FieldValueRequired",
    ),
)
TENANT_RULES = (
    immutable("databaseRef.name", "make another IntegrationTenant", name="databaseref-immutable"),
    Rule(
        name="databasename-immutable",
        field="databaseName",
        cel="has(self.databaseName) == has(oldSelf.databaseName)"
        " && (!has(self.databaseName) || self.databaseName == oldSelf.databaseName)",
        twin=lambda new, old: new.get("databaseName") == old.get("databaseName"),
        message="spec.databaseName can't be changed, added or removed: make another IntegrationTenant",
        reason="FieldValueForbidden",
    ),
)
REQUEST_RULES = (
    Rule(
        name="request-asks-for-something",
        field="required",
        cel="self.required.size() + self.optional.size() > 0",
        twin=lambda new, _: bool(new["required"] or new["optional"]),
        message="spec.requests.required and optional are both empty: name the columns that the app needs",
        reason="FieldValueRequired",
    ),
    Rule(
        name="request-columns-once",
        field="optional",
        cel="!self.optional.exists(c, c in self.required)",
        twin=lambda new, _: not set(new["optional"]) & set(new["required"]),
        message="spec.requests.optional {value} names a column that required names too: keep one of the two",
    ),
)
MAPPING_RULES = (
    join_key("keyType", "publishes.mapping.keyType"),
    Rule(
        name="shop-column-of-ouid",
        field="shopColumn",
        cel="!has(self.shopColumn) || self.keyType == 'ouid'",
        twin=lambda new, _: "shopColumn" not in new or new["keyType"] == "ouid",
        message="spec.publishes.mapping.shopColumn {value} is for keyType ouid, which is one within a shop: remove it",
    ),
)


def _seconds(field: str) -> str:
    """CEL for a Duration in seconds."""
    value = f"self.{field}"
    unit = f"({value}.endsWith('s') ? 1 : {value}.endsWith('m') ? 60 : {value}.endsWith('h') ? 3600 : 86400)"
    return f"int({value}.substring(0, {value}.size() - 1)) * {unit}"


CREDENTIAL_RULES = (
    Rule(
        name="overlap-shorter-than-a-rotation",
        field="overlap",
        cel=f"{_seconds('overlap')} < {_seconds('rotateEvery')}",
        twin=lambda new, _: duration(new["overlap"]) < duration(new["rotateEvery"]),
        message="spec.credentials.overlap {value} is not shorter than rotateEvery: there are two logins, and the old"
        " one must rest before it is used again; shorten it",
    ),
)
VENDOR_RULES = (
    Rule(
        name="appkey-immutable",
        field="appKey",
        cel="self.appKey == oldSelf.appKey",
        twin=lambda new, old: new["appKey"] == old["appKey"],
        message="spec.vendor.appKey can't be changed from {old} to {value}: another vendor's app is another"
        " IntegrationApp",
        reason="FieldValueForbidden",
    ),
)
