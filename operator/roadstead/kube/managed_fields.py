"""The managedFields of an object: which manager set which field.

An apply removes the fields that the same manager applied before and no longer applies. Fields that
it *created* or patched are in another entry, from which an apply removes nothing: a field that only
the create had would stay forever. So our entries are merged, as client-go's `util/csaupgrade` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roadstead.api.group import FIELD_MANAGER
from roadstead.api.raw import Raw


def as_applied(raw: Raw) -> list[Raw] | None:
    """The `managedFields` with all our fields as applied; None if that is so already."""
    entries = raw["metadata"].get("managedFields") or []
    ours = [entry for entry in entries if _is_ours(entry)]
    if all(entry["operation"] == "Apply" for entry in ours):
        return None
    fields: dict[str, Any] = {}
    for entry in ours:
        fields = _union(fields, entry.get("fieldsV1", {}))
    others = [entry for entry in entries if not _is_ours(entry)]
    return [*others, {**ours[-1], "operation": "Apply", "fieldsV1": fields}]


def is_managed(raw: Raw) -> bool:
    """Whether our field manager has set a field of the object; a status does not count."""
    return any(_is_ours(entry) for entry in raw["metadata"].get("managedFields") or ())


def _is_ours(entry: Raw) -> bool:
    return entry.get("manager") == FIELD_MANAGER and not entry.get("subresource")


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The union of two FieldsV1, which are nested objects; an empty object is a leaf."""
    return {
        **one,
        **{name: _union(one.get(name, {}), below) for name, below in other.items()},
    }
