# SPDX-License-Identifier: Apache-2.0
"""What must hold for a SellerRDS beyond types and patterns."""

from __future__ import annotations

import re

from cairn.api.quantity import compare
from cairn.api.resources import Obj
from cairn.api.rules import Reason, Rule, Twin, Value, at, immutable, names
from cairn.api.schedule import PROMOTION_PLANS_NEED_A_PLAN

EXTERNAL_RULES = (
    Rule(
        name="external-verify-needs-ca",
        field="caSecretRef",
        cel="self.tls != 'VerifyCA' || has(self.caSecretRef)",
        twin=lambda new, _: new["tls"] != "VerifyCA" or "caSecretRef" in new,
        message="spec.external.caSecretRef is missing: tls VerifyCA needs a Secret with the key ca.crt; add it, or"
        " set tls to Require to encrypt without checking who answers",
        reason="FieldValueRequired",
    ),
    Rule(
        name="external-require-ignores-ca",
        field="caSecretRef",
        cel="self.tls != 'Require' || !has(self.caSecretRef)",
        twin=lambda new, _: new["tls"] != "Require" or "caSecretRef" not in new,
        message="spec.external.caSecretRef does nothing with tls Require: set tls to VerifyCA, or remove it",
        reason="FieldValueForbidden",
    ),
)


def _not_with_external(name: str, field: str, cel: str, twin: Twin, remedy: str, reason: Reason) -> Rule:
    """Something that would do nothing for a server that Cairn doesn't run."""
    return Rule(
        name=f"external-without-{name}",
        field=field,
        cel=f"!has(self.external) || {cel}",
        twin=lambda new, old: "external" not in new or twin(new, old),
        message=f"spec.{field} does nothing for an external server: {remedy}",
        reason=reason,
    )


def _storage_grows(new: Obj, old: Obj) -> bool:
    before, now = at(old, "storage.size"), at(new, "storage.size")
    return before is None or (now is not None and compare(now, before) >= 0)


def _databases_stay(new: Obj, old: Obj) -> bool:
    return names(old["databases"]) <= names(new["databases"])


_POSTGRESQL = "^1[5-8]$"
_MYSQL = "^(8[.][04]|9[.][0-9]|10[.](6|11)|1[12][.][0-9])$"
LONGEST_MYSQL_DATABASE = 25
"""`<name>_reader` stays within the 32 characters of an account."""
MYSQL_OWN = ("information_schema", "mysql", "performance_schema", "platform", "sys", "sys_info")


def _version_fits(new: Obj, _: Obj) -> bool:
    return bool(re.search(_POSTGRESQL if new["engine"] == "postgresql" else _MYSQL, new["version"]))


def _unfit_for_mysql(new: Obj) -> list[str]:
    listed = [one["name"] for one in new["databases"]]
    return [name for name in listed if len(name) > LONGEST_MYSQL_DATABASE or name in MYSQL_OWN]


_UNFIT = f"d.name.size() > {LONGEST_MYSQL_DATABASE} || d.name in {list(MYSQL_OWN)}"
ENGINE_RULES = (
    immutable("engine", "make another SellerRDS and move the data"),
    Rule(
        name="mysql-only-external",
        field="external",
        cel="self.engine != 'mysql' || has(self.external)",
        twin=lambda new, _: new["engine"] != "mysql" or "external" in new,
        message="spec.external is missing: Cairn runs no server of engine mysql; say where yours is, or set engine to"
        " postgresql",
        reason="FieldValueRequired",
    ),
    Rule(
        name="version-of-engine",
        field="version",
        cel=f"self.version.matches(self.engine == 'postgresql' ? '{_POSTGRESQL}' : '{_MYSQL}')",
        twin=_version_fits,
        message="spec.version {value} is none of the engine's: for postgresql 15 to 18; for mysql 8.0, 8.4 or 9.0 to"
        " 9.9 (MySQL), 10.6, 10.11 or 11.0 to 12.9 (MariaDB)",
    ),
    Rule(
        name="mysql-databases",
        field="databases",
        cel=f"self.engine != 'mysql' || !self.databases.exists(d, {_UNFIT})",
        twin=lambda new, _: new["engine"] != "mysql" or not _unfit_for_mysql(new),
        message="spec.databases: {value} can't be a database of Cairn's on MySQL: choose names of at most"
        f" {LONGEST_MYSQL_DATABASE} characters, not {', '.join(MYSQL_OWN)}",
        value=Value(f"self.databases.filter(d, {_UNFIT}).map(d, d.name)", lambda new, _: _unfit_for_mysql(new)),
    ),
)
SIZES = ("planRef", "resources", "external")
SPEC_RULES = (
    *ENGINE_RULES,
    Rule(
        name="one-of-plan-resources-external",
        field="planRef",
        cel="[has(self.planRef), has(self.resources), has(self.external)].filter(x, x).size() == 1",
        twin=lambda new, _: sum(key in new for key in SIZES) == 1,
        message="spec needs exactly one of planRef, resources and external: add one, or remove the others",
        reason="FieldValueRequired",
    ),
    Rule(
        name="external-immutable",
        field="external",
        cel="has(self.external) == has(oldSelf.external)",
        twin=lambda new, old: ("external" in new) == ("external" in old),
        message="spec.external can't be added or removed later: make another SellerRDS and move the data",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="version-immutable",
        field="version",
        cel="has(self.external) || self.version == oldSelf.version",
        twin=lambda new, old: "external" in new or new["version"] == old["version"],
        message="spec.version can't be changed from {old} to {value}, since it could not read the data: make another"
        " SellerRDS of that version and move the data",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="resources-need-storage",
        field="storage",
        cel="!has(self.resources) || self.?storage.?size.hasValue()",
        twin=lambda new, _: "resources" not in new or at(new, "storage.size") is not None,
        message="spec.storage.size is missing: with resources there is no plan that includes a volume; add it, such as"
        " 20Gi",
        reason="FieldValueRequired",
    ),
    Rule(
        name="storage-class-immutable",
        field="storage",
        cel="has(self.storage) && has(self.storage.class) ? has(oldSelf.storage) && has(oldSelf.storage.class)"
        " && self.storage.class == oldSelf.storage.class : !has(oldSelf.storage) || !has(oldSelf.storage.class)",
        twin=lambda new, old: at(new, "storage.class") == at(old, "storage.class"),
        message="spec.storage.class can't be added, changed or removed, since a volume keeps its class: restore it, or"
        " make another SellerRDS and move the data",
        reason="FieldValueForbidden",
    ),
    Rule(
        name="storage-never-shrinks",
        field="storage.size",
        cel="!oldSelf.?storage.?size.hasValue() || (self.?storage.?size.hasValue() && quantity(string("
        "self.storage.size)).compareTo(quantity(string(oldSelf.storage.size))) >= 0)",
        twin=_storage_grows,
        message="spec.storage.size can't shrink from {old} to {value}, since a volume only grows: restore the old size"
        " or ask for more",
        value=Value(
            "self.?storage.?size.hasValue() ? string(self.storage.size) : 'the default'",
            lambda new, _: at(new, "storage.size") or "the default",
        ),
    ),
    Rule(
        name="databases-never-removed",
        field="databases",
        cel="oldSelf.databases.all(o, self.databases.exists(n, n.name == o.name))",
        twin=_databases_stay,
        message="spec.databases no longer lists {value}: a database is never removed by leaving it out; put it back",
        reason="FieldValueForbidden",
        value=Value(
            "oldSelf.databases.filter(o, !self.databases.exists(n, n.name == o.name)).map(o, o.name)",
            lambda new, old: [one["name"] for one in old["databases"] if one["name"] not in names(new["databases"])],
        ),
    ),
    _not_with_external(
        "storage",
        "storage",
        "!has(self.storage)",
        lambda new, _: "storage" not in new,
        "remove it",
        "FieldValueForbidden",
    ),
    _not_with_external(
        "power-state",
        "powerState",
        "self.powerState == 'Running'",
        lambda new, _: new["powerState"] == "Running",
        "leave it at Running, Cairn doesn't run that server",
        "FieldValueForbidden",
    ),
    _not_with_external(
        "promotions",
        "promotions",
        "self.promotions.size() == 0",
        lambda new, _: not new["promotions"],
        "remove it, Cairn doesn't run that server",
        "FieldValueForbidden",
    ),
    _not_with_external(
        "maintenance",
        "maintenance",
        "!has(self.maintenance)",
        lambda new, _: "maintenance" not in new,
        "remove it, Cairn doesn't run that server",
        "FieldValueForbidden",
    ),
    PROMOTION_PLANS_NEED_A_PLAN,
    _not_with_external(
        "access",
        "access.fromNamespaces",
        "self.access.fromNamespaces.size() == 0",
        lambda new, _: not new["access"]["fromNamespaces"],
        "remove it, and open the way on that server",
        "FieldValueForbidden",
    ),
    _not_with_external(
        "deletion",
        "deletionPolicy",
        "self.deletionPolicy == 'Retain'",
        lambda new, _: new["deletionPolicy"] == "Retain",
        "leave it at Retain, Cairn deletes nothing there",
        "FieldValueInvalid",
    ),
)
