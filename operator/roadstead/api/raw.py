"""Reading the JSON of an object that the CRD's schema has already checked."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Self

Raw = Mapping[str, Any]
"""An object, or a part of one, as the API server sends it."""


def section(raw: Raw, *path: str) -> Raw:
    """The mapping at `path`; empty if it, or a mapping on the way, is missing."""
    for key in path:
        value = raw.get(key)
        if not isinstance(value, Mapping):
            return {}
        raw = value
    return raw


def positive(raw: Raw, name: str) -> int:
    """The positive whole number of this name, else 0."""
    value = raw.get(name)
    return value if type(value) is int and value > 0 else 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metadata:
    """The `metadata` of an object."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    deleting: bool
    created: str
    annotations: Raw
    labels: Raw
    finalizers: tuple[str, ...]

    @classmethod
    def parse(cls, raw: Raw) -> Self:
        """From a whole object; missing parts are empty, as before the object is stored."""
        meta = section(raw, "metadata")
        return cls(
            name=meta.get("name", ""),
            namespace=meta.get("namespace", ""),
            uid=meta.get("uid", ""),
            generation=meta.get("generation", 0),
            resource_version=meta.get("resourceVersion", ""),
            deleting=bool(meta.get("deletionTimestamp")),
            created=meta.get("creationTimestamp", ""),
            annotations=section(meta, "annotations"),
            labels=section(meta, "labels"),
            finalizers=tuple(meta.get("finalizers") or ()),
        )


def timestamp(moment: datetime.datetime) -> str:
    """RFC 3339 in UTC, to the second, as `metav1.Time` writes it."""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
