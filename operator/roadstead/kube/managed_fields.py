"""Who set which field of an object, as the API server keeps it for server-side apply.

An apply takes away what the same manager applied before and applies no more. What it *created* or
patched is another entry, which no apply ever takes from: a field that only the first write had
would stay for ever. So our entries are made one, as client-go's `util/csaupgrade` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roadstead.api.group import FIELD_MANAGER
from roadstead.api.raw import Raw


def as_applied(raw: Raw) -> list[Raw] | None:
    """The `managedFields` in which all that we set was applied; None where that is so already."""
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
    """FieldsV1 are objects all the way down; an empty one is a leaf."""
    return {
        **one,
        **{name: _union(one.get(name, {}), below) for name, below in other.items()},
    }
