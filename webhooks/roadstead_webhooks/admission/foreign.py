"""The limit on foreign metadata: every component receives and caches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

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
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest

MAX_BYTES: Final = 16 * 1024
_OURS: Final = frozenset(
    {
        ANNOTATION_TOKEN,
        ANNOTATION_RECEIPT,
        ANNOTATION_REQUESTED_BY,
        ANNOTATION_DELETION,
        ANNOTATION_SERVER_ID,
        ANNOTATION_STORED,
    }
)
"""Annotations that are verified and have limits of their own."""
_COPIED: Final = 1024
"""Bytes allowed for a manifest's type, name and labels."""
_LISTS: Final = ("finalizers", "ownerReferences")


def deny_oversized(request: AdmissionRequest) -> AdmissionAnswer | None:
    """Return a denial if foreign metadata exceeds the limit and grew; else None."""
    size = count_foreign_bytes(request.object)
    if size <= MAX_BYTES or size <= count_foreign_bytes(request.old):
        return None
    return AdmissionAnswer(
        allowed=False,
        reason="MetadataTooLarge",
        message=f"the metadata has {size} bytes of annotations, labels, finalizers and owners that "
        f"are not Roadstead's; at most {MAX_BYTES // 1024} KiB are allowed: remove some, or store "
        "them in another object, such as a ConfigMap",
        code=413,
    )


def count_foreign_bytes(raw: Raw) -> int:
    """Return the bytes of foreign metadata; of kubectl's copy of the manifest only those that
    exceed the spec and the other annotations count."""
    meta = section(raw, "metadata")
    annotations = {key: text for key, text in section(meta, "annotations").items()
                   if key != ANNOTATION_LAST_APPLIED}  # fmt: skip
    theirs = {key: text for key, text in annotations.items() if key not in _OURS}
    lists = sum(_json_bytes(meta[name]) for name in _LISTS if meta.get(name))
    copy = section(meta, "annotations").get(ANNOTATION_LAST_APPLIED, "")
    copied = _copied_bytes(raw.get("spec")) + _text_bytes(annotations) + _COPIED if copy else 0
    surplus = max(0, len(str(copy).encode()) - copied)
    return _text_bytes(theirs) + _text_bytes(section(meta, "labels")) + lists + surplus


def _text_bytes(texts: Mapping[str, object]) -> int:
    return sum(len(key.encode()) + len(str(text).encode()) for key, text in texts.items())


def _json_bytes(value: object) -> int:
    return len(_json(value).encode())


def _copied_bytes(value: object) -> int:
    """Return the size as kubectl serializes it: each of `<>&` as six characters."""
    text = _json(value)
    return len(text.encode()) + 5 * sum(map(text.count, "<>&"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
