"""Tokens outside their annotation, where they would be stored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from roadstead.api.group import (
    ANNOTATION_DELETION,
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_RECEIPT,
    ANNOTATION_REQUESTED_BY,
    ANNOTATION_TOKEN,
)
from roadstead.api.raw import Raw, section

_RUN: Final = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{9,}+)(?=\.[A-Za-z0-9_-]{2,}+\.)")
"""A possible first segment of a JWT. Each character is matched once, in texts of any length.

The text is from callers without a token, and a pattern that starts again at every `eyJ` takes
minutes for a megabyte of them.
"""
_BEGINS: Final = "eyJ"
"""base64url of `{"`. JWTs with spaces before the quote are not matched."""
Text = tuple[tuple[str, ...], str]
"""The path of a text in an object, and the text."""
_OURS: Final = frozenset(
    {ANNOTATION_TOKEN, ANNOTATION_RECEIPT, ANNOTATION_REQUESTED_BY, ANNOTATION_DELETION}
)


def find_misplaced_token(raw: Raw, old: Raw, *, token: str = "") -> str:
    """Return the path of the first text with `token` or a possible JWT; empty if there is none.

    Texts that `old` has at the same path don't count: they are stored already.
    """
    stored: frozenset[Text] | None = None
    for path, text in _texts(raw):
        if _resembles_token(text) or (len(token) > 8 and token in text):
            # Read once, and only if needed: both objects may have thousands of such texts.
            stored = frozenset(_texts(old)) if stored is None else stored
            if (path, text) not in stored:
                return ".".join(path)
    return ""


def _resembles_token(text: str) -> bool:
    return any(_BEGINS in run[1][:-6] for run in _RUN.finditer(text))


def strip_annotations(last_applied: str) -> str:
    """Return kubectl's last-applied-configuration without Roadstead's annotations.

    The text is unchanged if it has none of them, else serialized as kubectl does it (Go's
    encoding/json: sorted keys, no spaces, HTML escapes, a final line feed), so that applying again
    without a token changes nothing.
    """
    try:
        applied = json.loads(last_applied)
    except (ValueError, RecursionError):
        return last_applied
    if not isinstance(applied, dict):
        return last_applied
    annotations = section(applied, "metadata", "annotations")
    kept = {key: value for key, value in annotations.items() if key not in _OURS}
    if len(kept) == len(annotations):
        return last_applied
    applied["metadata"] = {**applied["metadata"], "annotations": kept}
    text = json.dumps(applied, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text + "\n" * last_applied.endswith("\n")


def _texts(raw: Raw) -> Iterator[Text]:
    """Yield every text that would be stored, including keys of maps."""
    meta = section(raw, "metadata")
    for key, value in section(meta, "annotations").items():
        if key in _OURS:
            continue
        text = strip_annotations(value) if key == ANNOTATION_LAST_APPLIED else value
        yield ("metadata", "annotations", key), text
        yield ("metadata", "annotations", "(a key)"), key
    for key, value in section(meta, "labels").items():
        yield ("metadata", "labels", key), value
    for name in ("name", "generateName"):
        yield ("metadata", name), str(meta.get(name) or "")
    for owner in (*_items(meta, "ownerReferences"), *_items(meta, "finalizers")):
        yield from _texts_within(owner, ("metadata",))
    yield from _texts_within(raw.get("spec"), ("spec",))


def _items(meta: Raw, name: str) -> list[Any]:
    value = meta.get(name)
    return value if isinstance(value, list) else []


def _texts_within(value: Any, path: tuple[str, ...]) -> Iterator[Text]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            yield from _texts_within(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from _texts_within(item, path)
