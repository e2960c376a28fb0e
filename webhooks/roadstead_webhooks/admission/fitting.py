"""Whether the fields of a review are consistent and match the webhook configurations.

An inconsistent review is denied and not recorded, since the names in it may be false. Messages
quote nothing from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from roadstead.api import group
from roadstead.api.object_names import NAME_FORM, NAMESPACE_FORM, is_name, is_namespace
from roadstead.api.raw import Raw, section

KINDS: Final[Mapping[str, str]] = {
    "models": "Model",
    "modelserves": "ModelServe",
    "resourcecontracts": "ResourceContract",
}
_VERSION: Final = f"{group.GROUP}/{group.VERSION}"
_SCALE: Final = ("autoscaling/v1", "Scale")
_KEPT_OF_A_PREFIX: Final = 58
"""Characters. A generated name has at most 63; the last five are random."""
_REVIEWED: Final = frozenset(
    {
        *((resource, "", operation) for resource in KINDS for operation in ("CREATE", "UPDATE")),
        ("modelserves", "scale", "UPDATE"),
        ("models", "", "DELETE"),
        ("resourcecontracts", "", "DELETE"),
    }
)
"""Resource, subresource and operation, as in the rules of the chart's webhook configurations."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claimed:
    """The fields of a review, nothing of them verified."""

    resource: tuple[str, str]
    """Group with version, and the plural."""
    subresource: str
    kind: tuple[str, str]
    """Group with version, and the kind."""
    operation: str
    namespace: str
    name: str
    username: str
    object: Raw = dataclasses.field(repr=False)
    old: Raw = dataclasses.field(repr=False)


def is_reviewed(claimed: Claimed) -> bool:
    """Return whether the chart's webhook configurations send such requests to the webhooks."""
    version, plural = claimed.resource
    return version == _VERSION and (plural, claimed.subresource, claimed.operation) in _REVIEWED


def find_mismatch(claimed: Claimed) -> str:
    """Return the first inconsistency; empty if there is none."""
    return next(_mismatches(claimed), "")


def _mismatches(claimed: Claimed) -> Iterator[str]:
    version, plural = claimed.resource
    if version != _VERSION or plural not in KINDS:
        yield "request.resource is not one of Roadstead's kinds"
        return
    kind = KINDS[plural]
    expected = _SCALE if claimed.subresource == "scale" else (_VERSION, kind)
    if claimed.kind != expected:
        yield f"request.kind is not {expected[1]}, the kind of request.resource"
    if bool(claimed.namespace) is not (kind == "ModelServe"):
        yield f"request.namespace does not fit a {kind}"
    if not claimed.username:
        yield "request.userInfo.username is missing"
    if (bool(claimed.object), bool(claimed.old)) != _PARTS[claimed.operation]:
        yield f"request.object and request.oldObject do not fit the operation {claimed.operation}"
    for field, raw in (("object", claimed.object), ("oldObject", claimed.old)):
        if raw:
            yield from _object_mismatches(claimed, field, raw, expected)
    yield from _invalid_names(claimed)


_PARTS: Final = {"CREATE": (True, False), "UPDATE": (True, True), "DELETE": (False, True)}
"""Whether a request has an object, and an old object."""


def _object_mismatches(
    claimed: Claimed, field: str, raw: Raw, expected: tuple[str, str]
) -> Iterator[str]:
    if (raw.get("apiVersion"), raw.get("kind")) != expected:
        yield f"request.{field}.kind is not {expected[1]}, the kind of request.resource"
    meta = section(raw, "metadata")
    if (meta.get("namespace") or "") != claimed.namespace:
        yield f"request.{field}.metadata.namespace differs from request.namespace"
    name = meta.get("name") or ""
    if name != claimed.name and not (not claimed.name and _is_generated(name, meta)):
        yield f"request.{field}.metadata.name differs from request.name"


def _is_generated(name: str, meta: Raw) -> bool:
    """Return whether the API server generated the name from the prefix, perhaps truncated."""
    prefix = meta.get("generateName") or ""
    return bool(prefix) and name.startswith(prefix[:_KEPT_OF_A_PREFIX])


def _invalid_names(claimed: Claimed) -> Iterator[str]:
    """Yield invalid names: the API server validates an object's name after the webhooks ran."""
    prefix = section(claimed.object, "metadata").get("generateName") or ""
    if claimed.namespace and not is_namespace(claimed.namespace):
        yield f"request.namespace is not a valid namespace name: expected {NAMESPACE_FORM}"
    if claimed.name and not is_name(claimed.name):
        yield f"metadata.name is not a valid object name: expected {NAME_FORM}"
    # The API server appends letters and digits.
    if prefix and not is_name(f"{prefix}0"):
        yield f"metadata.generateName is not a valid prefix of an object name: expected {NAME_FORM}"
