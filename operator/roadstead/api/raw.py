"""Reading the JSON of an object that the CRD's schema has already checked."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any, Final, Self, TypeVar

Raw = Mapping[str, Any]
"""An object, or a part of one, as the API server sends it."""
T = TypeVar("T")
_EMPTY: Final[Raw] = {}


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


class FieldReader:
    """Reads the fields of a section; a field of another type counts as missing.

    `faults` lists those fields, so that parsing an object never fails.
    """

    def __init__(self, raw: Raw, path: str) -> None:
        self.raw = raw
        self._path = path
        self.faults: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self.raw.get(name, default)
        return value if isinstance(value, str) else self._refuse(name, "a string", default)

    def required(self, name: str) -> str:
        """A string that must be given; empty if it isn't."""
        value = self.raw.get(name)
        return value if isinstance(value, str) and value else self._refuse(name, "a string", "")

    def whole(self, name: str, default: int) -> int:
        """A whole number; `true` is none."""
        value = self.raw.get(name, default)
        return value if type(value) is int else self._refuse(name, "a whole number", default)

    def mapping(self, name: str) -> Raw:
        """An object; empty if it is missing."""
        value = self.raw.get(name, _EMPTY)
        return value if isinstance(value, Mapping) else self._refuse(name, "an object", _EMPTY)

    def inner(self, name: str) -> FieldReader:
        """The reader of a section of this one; its faults are added to ours."""
        found = FieldReader(self.mapping(name), f"{self._path}.{name}".lstrip("."))
        found.faults = self.faults
        return found

    def _refuse(self, name: str, expected: str, default: T) -> T:
        self.faults.append(f"{self._path}.{name}: expected {expected}".lstrip("."))
        return default


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
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
