"""What a watch cache keeps of an object: what its part reads, however much others write into it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from roadstead.api.raw import Raw, section

Projection = Callable[[Raw], dict[str, Any]]
"""From an object as the API server sends it to what is kept of it."""

MAX_OWNERS: Final = 20
MAX_VALUE: Final = 32 * 1024
"""Characters of an annotation that is kept: as many as a receipt may have. Longer ones, which only
others write, count as missing."""
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
    """The type, the identity, and of all else what is named here."""

    parts: Mapping[str, tuple[str, ...] | None] = dataclasses.field(default_factory=dict)
    """Fields of a part such as `spec`; None keeps all of it."""
    annotations: frozenset[str] = frozenset()
    labels: frozenset[str] | None = frozenset()
    """None keeps all of them."""
    finalizers: bool = False
    owners: bool = False

    def __call__(self, raw: Raw) -> dict[str, Any]:
        """What is kept of `raw`."""
        kept = {name: raw[name] for name in ("apiVersion", "kind") if name in raw}
        kept["metadata"] = self.metadata(raw)
        for name, fields in self.parts.items():
            if name in raw:
                kept[name] = raw[name] if fields is None else _chosen(section(raw, name), fields)
        return kept

    def metadata(self, raw: Raw) -> dict[str, Any]:
        """What is kept of the metadata."""
        meta = section(raw, "metadata")
        kept = _chosen(meta, _IDENTITY)
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
    """All but managedFields, which are half of an object's bytes; the cache remembers ours."""
    meta = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    return {**raw, "metadata": meta}


def _chosen(raw: Raw, names: tuple[str, ...] | frozenset[str]) -> dict[str, Any]:
    """In one order, so that objects of the same fields share them."""
    return {name: raw[name] for name in sorted(names) if name in raw}
