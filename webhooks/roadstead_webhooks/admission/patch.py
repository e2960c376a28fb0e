"""The mutating webhook's JSON patch (RFC 6902)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Final

from roadstead.api.group import (
    ANNOTATION_DELETION,
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_RECEIPT,
    ANNOTATION_REQUESTED_BY,
    ANNOTATION_SERVER_ID,
    ANNOTATION_STORED,
    ANNOTATION_TOKEN,
)
from roadstead.api.raw import Raw, section
from roadstead_webhooks.admission.misplaced import strip_annotations

_ANNOTATIONS: Final = "/metadata/annotations"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Changes:
    """The values to set in an object; None removes an annotation."""

    receipt: str | None
    requested_by: str | None = None
    deletion: str | None = None
    server_id: str = ""
    """The server ID; empty removes it."""
    stored: str | None = None
    """Where the operator stored a Model's content."""
    contract: str = ""
    """The value of `spec.contract`; empty keeps the current one."""


def patch(raw: Raw, changes: Changes) -> list[Raw]:
    """Return the operations that apply `changes` to `raw`; none if it has them already."""
    wanted = {
        ANNOTATION_TOKEN: None,
        ANNOTATION_RECEIPT: changes.receipt,
        ANNOTATION_REQUESTED_BY: changes.requested_by,
        ANNOTATION_DELETION: changes.deletion,
        ANNOTATION_SERVER_ID: changes.server_id or None,
        ANNOTATION_STORED: changes.stored,
    }
    operations = [*_patch_annotations(raw, wanted), *_patch_managed_fields(raw)]
    spec = raw.get("spec")
    if changes.contract and isinstance(spec, dict) and spec.get("contract") != changes.contract:
        operations.append({"op": "add", "path": "/spec/contract", "value": changes.contract})
    return operations


def _patch_annotations(raw: Raw, wanted: Mapping[str, str | None]) -> Iterator[Raw]:
    given = section(raw, "metadata").get("annotations")
    if not isinstance(given, dict):
        present = {key: value for key, value in wanted.items() if value is not None}
        if present:
            yield {"op": "add", "path": _ANNOTATIONS, "value": present}
        return
    last = given.get(ANNOTATION_LAST_APPLIED)
    if last is not None and (kept := strip_annotations(last)) != last:
        yield {"op": "replace", "path": _path(ANNOTATION_LAST_APPLIED), "value": kept}
    for key, value in wanted.items():
        if value is None and key in given:
            yield {"op": "remove", "path": _path(key)}
        elif value is not None and given.get(key) != value:
            yield {"op": "add", "path": _path(key), "value": value}


def _patch_managed_fields(raw: Raw) -> Iterator[Raw]:
    """Remove the field owners of the token's annotation: two appliers would conflict over it."""
    key = f"f:{ANNOTATION_TOKEN}"
    for place, entry in enumerate(section(raw, "metadata").get("managedFields") or ()):
        fields: Any = section(entry, "fieldsV1", "f:metadata", "f:annotations")
        if key in fields:
            path = f"/metadata/managedFields/{place}/fieldsV1/f:metadata/f:annotations"
            yield {"op": "remove", "path": f"{path}/{_escape(key)}"}


def _path(annotation: str) -> str:
    return f"{_ANNOTATIONS}/{_escape(annotation)}"


def _escape(text: str) -> str:
    """Escape a reference token of a JSON pointer (RFC 6901, 3)."""
    return text.replace("~", "~0").replace("/", "~1")
