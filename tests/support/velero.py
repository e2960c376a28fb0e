"""Objects as Velero creates them, without what the API server had assigned."""

from __future__ import annotations

from typing import Final

from tests.support.builders.objects import Raw

_KEPT: Final = ("name", "namespace", "labels", "annotations", "finalizers")
_ADDED: Final = {"velero.io/backup-name": "nightly", "velero.io/restore-name": "nightly-1"}


def restored(stored: Raw) -> Raw:
    """The object to create: without uid, versions, owners, managed fields and status."""
    meta = {key: value for key, value in stored["metadata"].items() if key in _KEPT}
    labels = {**(meta.get("labels") or {}), **_ADDED}
    rest = {key: value for key, value in stored.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": {**meta, "labels": labels}}
