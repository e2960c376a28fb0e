"""Compares two CustomResourceDefinitions of one kind: whether the new one can replace the old."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dev.checks.crds.schemas import differences

Definition = Mapping[str, Any]

_FIXED: Final = ("group", "scope", "preserveUnknownFields")
_NAMES: Final = ("kind", "listKind", "plural", "singular")
_ALSO_CALLED: Final = ("shortNames", "categories")
_OF_A_VERSION: Final = ("served", "storage", "subresources", "selectableFields")
_PROSE: Final = frozenset({"description", "message", "fieldPath", "additionalPrinterColumns"})


def incompatible(old: Mapping[str, Definition], new: Mapping[str, Definition]) -> Iterator[str]:
    """Incompatibilities of the new definitions; both are given by name."""
    for name, definition in old.items():
        if name in new:
            yield from _changes(definition["spec"], new[name]["spec"], name.partition(".")[0])
        else:
            yield f"{name}: was removed"


def without_prose(value: Any) -> Any:
    """A definition without the texts that only people read."""
    if isinstance(value, list):
        return [without_prose(item) for item in value]
    if not isinstance(value, dict):
        return value
    # Below `properties` the keys are the fields' own names.
    return {
        key: {name: without_prose(item) for name, item in below.items()}
        if key == "properties"
        else without_prose(below)
        for key, below in value.items()
        if key not in _PROSE
    }


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in _FIXED:
        if old.get(key) != new.get(key):
            yield f"{path}: {key} was {old.get(key)!r}, is {new.get(key)!r}"
    yield from _names(old["names"], new["names"], path)
    versions = {item["name"]: item for item in new["versions"]}
    for version in old["versions"]:
        name = version["name"]
        if name in versions:
            yield from _version(version, versions[name], f"{path}/{name}")
        else:
            yield f"{path}: version {name} was removed"


def _names(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in _NAMES:
        if old.get(key) != new.get(key):
            yield f"{path}: names.{key} was {old.get(key)!r}, is {new.get(key)!r}"
    for key in _ALSO_CALLED:
        for gone in sorted(set(old.get(key, ())) - set(new.get(key, ()))):
            yield f"{path}: names.{key} no longer has {gone!r}"


def _version(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in _OF_A_VERSION:
        if old.get(key) != new.get(key):
            yield f"{path}: {key} was {old.get(key)!r}, is {new.get(key)!r}"
    before, after = (item["schema"]["openAPIV3Schema"] for item in (old, new))
    yield from differences(before, after, path)
