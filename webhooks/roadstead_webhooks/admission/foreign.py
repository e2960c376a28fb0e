"""The bound of what other programs write into our objects' metadata, which every part is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from roadstead.api.group import (
    ANNOTATION_DELETION,
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_RECEIPT,
    ANNOTATION_TOKEN,
)
from roadstead.api.raw import Raw, section
from roadstead_webhooks.admission.review import AdmissionAnswer, AdmissionRequest

MAX_BYTES: Final = 16 * 1024
_OURS: Final = frozenset({ANNOTATION_TOKEN, ANNOTATION_RECEIPT, ANNOTATION_DELETION})
"""What they hold is verified, and has a bound of its own."""
_COPIED: Final = 1024
"""Of a manifest besides its spec and its annotations: type, name and labels."""
_LISTS: Final = ("finalizers", "ownerReferences")


def too_much(request: AdmissionRequest) -> AdmissionAnswer | None:
    """The denial of metadata above the bound; what was stored before may stay, or become less."""
    size = foreign_bytes(request.object)
    if size <= MAX_BYTES or size <= foreign_bytes(request.old):
        return None
    return AdmissionAnswer(
        allowed=False,
        reason="MetadataTooLarge",
        message=f"the metadata has {size} bytes of annotations, labels, finalizers and owners that "
        f"are not Roadstead's; at most {MAX_BYTES // 1024} KiB are admitted: leave some out, or "
        "keep them in an object of your own, such as a ConfigMap",
        code=413,
    )


def foreign_bytes(raw: Raw) -> int:
    """Bytes of metadata that others wrote; kubectl's copy of the manifest counts for what it has
    beyond the spec and the other annotations."""
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
    """As kubectl writes it: each of `<>&` as six characters."""
    text = _json(value)
    return len(text.encode()) + 5 * sum(map(text.count, "<>&"))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
