"""The digest of a rendered object: an object is applied only if its stored digest differs."""

from __future__ import annotations

from roadstead.api.group import ANNOTATION_DIGEST
from roadstead.api.raw import Raw, section
from roadstead.json_digest import json_digest
from roadstead.manifests.rendering import Manifest


def with_digest(manifest: Manifest, *, without: tuple[str, ...] = ()) -> Manifest:
    """The object with its digest as an annotation.

    `without` names top-level fields that don't count, such as the data of a Secret, whose presigned
    URL differs each time. An existing digest doesn't count either.
    """
    counted = {key: value for key, value in manifest.items() if key not in without}
    metadata = manifest.get("metadata", {})
    annotations = _without_digest(metadata)
    whole = json_digest({**counted, "metadata": {**metadata, "annotations": annotations}})
    return {
        **manifest,
        "metadata": {**metadata, "annotations": {**annotations, ANNOTATION_DIGEST: whole}},
    }


def digest_of(raw: Raw) -> str:
    """The digest in an object's annotations; empty without one."""
    return str(section(raw, "metadata", "annotations").get(ANNOTATION_DIGEST, ""))


def _without_digest(metadata: Raw) -> dict[str, str]:
    annotations: dict[str, str] = metadata.get("annotations") or {}
    return {key: value for key, value in annotations.items() if key != ANNOTATION_DIGEST}
