"""Tokens where no webhook takes them out, so that they would be stored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from roadstead.api.group import (
    ANNOTATION_DELETION,
    ANNOTATION_LAST_APPLIED,
    ANNOTATION_RECEIPT,
    ANNOTATION_TOKEN,
)
from roadstead.api.raw import Raw, section

_RUN: Final = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z0-9_-]{9,}+)(?=\.[A-Za-z0-9_-]{2,}+\.)")
"""What may be the first part of a JWT: each character is looked at once, however long the text.

A caller without any token sends it, and a pattern that tries again from every `eyJ` takes minutes
for a megabyte of them.
"""
_BEGINS: Final = "eyJ"
"""base64url of `{"`. Some JWTs have spaces before the quote; none do here."""
Text = tuple[tuple[str, ...], str]
"""A text of an object, after its path."""
_OURS: Final = frozenset({ANNOTATION_TOKEN, ANNOTATION_RECEIPT, ANNOTATION_DELETION})


def misplaced(raw: Raw, old: Raw, *, token: str = "") -> str:
    """The path of the first text that holds `token` or looks like a JWT; empty if none does.

    What `old` has at the same place, and so is stored already, does not count.
    """
    stored: frozenset[Text] | None = None
    for path, text in _texts(raw):
        if _like_a_token(text) or (len(token) > 8 and token in text):
            # Read once, and only where it matters: both objects may hold thousands of such texts.
            stored = frozenset(_texts(old)) if stored is None else stored
            if (path, text) not in stored:
                return ".".join(path)
    return ""


def _like_a_token(text: str) -> bool:
    return any(_BEGINS in run[1][:-6] for run in _RUN.finditer(text))


def without_ours(last_applied: str) -> str:
    """kubectl's last-applied-configuration without our annotations; as it was if it has none.

    Written as kubectl writes it (Go's encoding/json: sorted keys, no blanks, HTML escapes, a line
    feed at the end), so that applying without a token afterwards changes nothing.
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
    """Every text that would be stored as it is, with its path; keys of maps too."""
    meta = section(raw, "metadata")
    for key, value in section(meta, "annotations").items():
        if key in _OURS:
            continue
        text = without_ours(value) if key == ANNOTATION_LAST_APPLIED else value
        yield ("metadata", "annotations", key), text
        yield ("metadata", "annotations", "(a key)"), key
    for key, value in section(meta, "labels").items():
        yield ("metadata", "labels", key), value
    for name in ("name", "generateName"):
        yield ("metadata", name), str(meta.get(name) or "")
    for owner in (*_items(meta, "ownerReferences"), *_items(meta, "finalizers")):
        yield from _within(owner, ("metadata",))
    yield from _within(raw.get("spec"), ("spec",))


def _items(meta: Raw, name: str) -> list[Any]:
    value = meta.get(name)
    return value if isinstance(value, list) else []


def _within(value: Any, path: tuple[str, ...]) -> Iterator[Text]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            yield from _within(item, (*path, key))
    elif isinstance(value, list):
        for item in value:
            yield from _within(item, path)
