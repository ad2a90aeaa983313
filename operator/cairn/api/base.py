# SPDX-License-Identifier: Apache-2.0
"""What all models share: how they are read, names and quantities, conditions, and the object around spec and status.

A model is what users write; crds/ is generated from it. Unknown fields are ignored on reading, so that an older
operator survives a newer field; `cairn check` and the API server refuse them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from cairn.api.quantity import PATTERN as QUANTITY_PATTERN
from cairn.api.rules import Rule, select


def _with_rules(schema: dict[str, Any], model: type[Model]) -> None:
    if model.rules:
        schema["x-rules"] = list(model.rules)


class Model(BaseModel):
    """A part of what users write: frozen, camelCase outside, its attribute docstrings are its descriptions."""

    rules: ClassVar[tuple[Rule, ...]] = ()
    """What must hold for such an object beyond types and patterns."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
        json_schema_extra=_with_rules,
    )


def _text(value: Any) -> Any:
    """Integers are quantities too; booleans are not."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def listed(key: str | None = None) -> dict[str, Any]:
    """JSON schema extras of a list: merged by `key` in server-side apply, or a set of scalars without one."""
    if key is None:
        return {"x-kubernetes-list-type": "set"}
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


Quantity = Annotated[
    str,
    BeforeValidator(_text),
    Field(pattern=QUANTITY_PATTERN, max_length=32),
    WithJsonSchema({"x-kubernetes-int-or-string": True, "pattern": QUANTITY_PATTERN, "maxLength": 32}),
]
"""A Kubernetes quantity such as 500m or 16Gi; kept as written, see `cairn.api.quantity` to compute with it."""

LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
NAME_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

NamespaceName = Annotated[str, Field(pattern=LABEL_PATTERN, min_length=1, max_length=63)]
ObjectName = Annotated[str, Field(pattern=NAME_PATTERN, min_length=1, max_length=253)]
EntryName = Annotated[str, Field(pattern=LABEL_PATTERN, min_length=1, max_length=40)]
ShopId = Annotated[str, Field(pattern=r"^[0-9]{1,20}$", max_length=20)]
DatabaseName = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$", min_length=1, max_length=50)]
"""Short enough that `<name>_reader` stays within PostgreSQL's 63 bytes."""
HostName = Annotated[
    str,
    Field(min_length=1, max_length=253, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]*[a-z0-9])?$"),
]
"""A full host name in lower case, such as shop.example.com."""
Money = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,4})?$", max_length=20)]
"""A decimal number as a string: no binary fractions."""
Amount = Annotated[str, Field(pattern=r"^[0-9]{1,27}(\.[0-9]{1,4})?$", max_length=32)]
"""Money that was added up: a thousand machines at the highest price fit in."""
Count = Annotated[int, Field(ge=0)]


class NameRef(Model):
    """Another object by its name, in the same namespace or cluster-scoped."""

    name: ObjectName
    """Name of the object."""


class Metadata(Model):
    """The part of ObjectMeta that Cairn reads. Never part of a CRD's schema."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class StatusCondition(Model):
    """One aspect of the state, as in metav1.Condition."""

    type: Annotated[str, Field(max_length=316)]
    """Aspect of the state, such as Ready; Reconciling and Stalled are listed only while True."""
    status: Annotated[str, Field(json_schema_extra={"enum": ["True", "False", "Unknown"]})]
    """True, False or Unknown."""
    observed_generation: Count | None = None
    """The metadata.generation that this condition was computed from."""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When `status` last changed."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why it stands so, as one word from a closed vocabulary."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """The same for people: what, and what to do about it."""


class Status(Model):
    """What every status holds."""

    observed_generation: Count | None = None
    """The metadata.generation that this status was computed from."""
    conditions: Annotated[tuple[StatusCondition, ...], Field(max_length=32, json_schema_extra=listed("type"))] = ()
    """The state by kstatus: Ready always, Reconciling and Stalled while True, Suspended while asked for."""


class Cost(Model):
    """What it costs, rounded to two digits."""

    currency: Annotated[str, Field(max_length=3)]
    """Currency as ISO 4217 code."""
    month: Amount
    """Cost of this calendar month (UTC) at the plan that spec.planRef names now, and of clones that always stand."""
    promotions: Amount | None = None
    """Cost of the promotions of this month and to come within 90 days, on top: what stands for sure, without what load
    may raise."""


NAME_LENGTH = Rule(
    name="name-length",
    field="metadata.name",
    cel="self.metadata.name.size() <= 40",
    twin=lambda new, _: len(new["metadata"]["name"]) <= 40,
    message="metadata.name {value} has more than 40 characters: choose a shorter one, names of what is made from it"
    " are longer",
)
_DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
NAME_IS_LABEL = Rule(
    name="name-is-label",
    field="metadata.name",
    cel="self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    twin=lambda new, _: bool(_DNS_LABEL.match(new["metadata"]["name"])),
    message="metadata.name {value} must start with a letter and hold only lower case letters, digits and dashes:"
    " objects in the namespace are named after it",
)


def database_name_free(field: str, full: str) -> Rule:
    """PostgreSQL's own databases, and names that Cairn's roles need."""
    value = select("self", field)
    taken = ("cairn", "postgres", "template0", "template1")
    return Rule(
        name=f"{full.replace('.', '-').lower()}-reserved",
        field=field,
        cel=f"!has({value})"
        f" || !({value} in {list(taken)} || {value}.startsWith('pg_') || {value}.startsWith('cairn_'))",
        twin=lambda new, _: new.get(field) not in taken and not str(new.get(field)).startswith(("pg_", "cairn_")),
        message=f"spec.{full} {{value}} belongs to the server or to Cairn: choose another name, not {', '.join(taken)}"
        " and not starting with pg_ or cairn_",
    )


class CustomObject(Model):
    """The object around spec and status."""

    rules: ClassVar[tuple[Rule, ...]] = (NAME_LENGTH,)

    api_version: str = "cairn.dev/v1alpha1"
    kind: str
    metadata: Metadata
