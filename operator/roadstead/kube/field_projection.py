"""The fields of an object that a watch cache keeps, so that its size is bounded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from roadstead.api.object_names import MAX_NAME
from roadstead.api.raw import Raw, section

Projection = Callable[[Raw], dict[str, Any]]
"""Reduces an object from the API server to the fields that are kept."""

MAX_OWNERS: Final = 20
MAX_VALUE: Final = 32 * 1024
"""The longest annotation that is kept, in characters: the limit of a receipt. A longer one, which
only others write, counts as missing."""
_IDENTITY: Final = (
    "name",
    "namespace",
    "uid",
    "generateName",
    "generation",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Keep:
    """Keeps the type, the identity, and the fields that are named here."""

    parts: Mapping[str, tuple[str, ...] | None] = dataclasses.field(default_factory=dict)
    """The fields of a section such as `spec`; None keeps the whole section."""
    annotations: frozenset[str] = frozenset()
    labels: frozenset[str] | None = frozenset()
    """None keeps all labels."""
    finalizers: bool = False
    owners: bool = False

    def __call__(self, raw: Raw) -> dict[str, Any]:
        """The reduced object."""
        kept = {name: raw[name] for name in ("apiVersion", "kind") if name in raw}
        kept["metadata"] = self.metadata(raw)
        for name, fields in self.parts.items():
            if name in raw:
                kept[name] = raw[name] if fields is None else _chosen(section(raw, name), fields)
        return kept

    def metadata(self, raw: Raw) -> dict[str, Any]:
        """The reduced metadata of an object."""
        meta = section(raw, "metadata")
        kept = _chosen(meta, _IDENTITY)
        if len(str(kept.get("generateName", ""))) > MAX_NAME:
            # Of the identity, only this has no bound in the API server.
            del kept["generateName"]
        labels, annotations = section(meta, "labels"), section(meta, "annotations")
        chosen = dict(labels) if self.labels is None else _chosen(labels, self.labels)
        bounded = _chosen(annotations, self.annotations)
        optional = {
            "labels": chosen,
            "annotations": {key: text for key, text in bounded.items() if len(text) <= MAX_VALUE},
            "finalizers": self.finalizers and meta.get("finalizers"),
            "ownerReferences": self.owners and (meta.get("ownerReferences") or [])[:MAX_OWNERS],
        }
        return kept | {name: value for name, value in optional.items() if value}


def slim(raw: Raw) -> dict[str, Any]:
    """The object without managedFields, half of its bytes; the cache remembers ours."""
    meta = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    return {**raw, "metadata": meta}


def _chosen(raw: Raw, names: tuple[str, ...] | frozenset[str]) -> dict[str, Any]:
    """The fields in a fixed order, so that objects with the same fields share them."""
    return {name: raw[name] for name in sorted(names) if name in raw}
