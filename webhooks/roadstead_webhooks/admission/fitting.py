"""Whether the parts of a review fit each other, and what the webhook configurations ask about.

What disagrees is denied, and recorded nowhere: it may name objects that it has nothing to do with.
Messages repeat nothing of it.
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
"""Characters: a generated name has 63 at most, the last five of them made up."""
_REVIEWED: Final = frozenset(
    {
        *((resource, "", operation) for resource in KINDS for operation in ("CREATE", "UPDATE")),
        ("modelserves", "scale", "UPDATE"),
        ("models", "", "DELETE"),
        ("resourcecontracts", "", "DELETE"),
    }
)
"""Resource, subresource and operation, as the rules of the chart's webhook configurations."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claimed:
    """What a review says of itself."""

    resource: tuple[str, str]
    """Group and version, and the plural."""
    subresource: str
    kind: tuple[str, str]
    """Group and version, and the kind."""
    operation: str
    namespace: str
    name: str
    username: str
    object: Raw = dataclasses.field(repr=False)
    old: Raw = dataclasses.field(repr=False)


def is_reviewed(claimed: Claimed) -> bool:
    """Whether the chart's webhook configurations have the API server ask about such a thing."""
    version, plural = claimed.resource
    return version == _VERSION and (plural, claimed.subresource, claimed.operation) in _REVIEWED


def mismatch(claimed: Claimed) -> str:
    """The first thing that disagrees; empty if nothing does."""
    return next(_mismatches(claimed), "")


def _mismatches(claimed: Claimed) -> Iterator[str]:
    version, plural = claimed.resource
    if version != _VERSION or plural not in KINDS:
        yield "request.resource is none of Roadstead's kinds"
        return
    kind = KINDS[plural]
    expected = _SCALE if claimed.subresource == "scale" else (_VERSION, kind)
    if claimed.kind != expected:
        yield f"request.kind is not {expected[1]}, as request.resource says"
    if bool(claimed.namespace) is not (kind == "ModelServe"):
        yield f"request.namespace is not that of a {kind}"
    if not claimed.username:
        yield "request.userInfo.username is missing"
    if (bool(claimed.object), bool(claimed.old)) != _PARTS[claimed.operation]:
        yield f"request.object and request.oldObject are not those of {claimed.operation}"
    for field, raw in (("object", claimed.object), ("oldObject", claimed.old)):
        if raw:
            yield from _of_object(claimed, field, raw, expected)
    yield from _misnamed(claimed)


_PARTS: Final = {"CREATE": (True, False), "UPDATE": (True, True), "DELETE": (False, True)}
"""Whether there are an object and an old one."""


def _of_object(claimed: Claimed, field: str, raw: Raw, expected: tuple[str, str]) -> Iterator[str]:
    if (raw.get("apiVersion"), raw.get("kind")) != expected:
        yield f"request.{field}.kind is not {expected[1]}, as request.resource says"
    meta = section(raw, "metadata")
    if (meta.get("namespace") or "") != claimed.namespace:
        yield f"request.{field}.metadata.namespace is not request.namespace"
    name = meta.get("name") or ""
    if name != claimed.name and not (not claimed.name and _is_generated(name, meta)):
        yield f"request.{field}.metadata.name is not request.name"


def _is_generated(name: str, meta: Raw) -> bool:
    """Whether the API server has made the name in between, from the prefix or its beginning."""
    prefix = meta.get("generateName") or ""
    return bool(prefix) and name.startswith(prefix[:_KEPT_OF_A_PREFIX])


def _misnamed(claimed: Claimed) -> Iterator[str]:
    """What is no name: the API server checks an object's only after it has asked the webhooks."""
    prefix = section(claimed.object, "metadata").get("generateName") or ""
    if claimed.namespace and not is_namespace(claimed.namespace):
        yield f"request.namespace is not the name of a namespace: expected {NAMESPACE_FORM}"
    if claimed.name and not is_name(claimed.name):
        yield f"metadata.name is not the name of an object: expected {NAME_FORM}"
    # What is appended to it is letters and digits.
    if prefix and not is_name(f"{prefix}0"):
        yield f"metadata.generateName is not the beginning of a name: expected {NAME_FORM}"
