"""Names that the API server accepts (RFC 1123), and names with the wildcards `*` and `?`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MAX_NAME: Final = 253
MAX_NAMESPACE: Final = 63
NAME_FORM: Final = (
    "lower case letters, digits, '-' and '.', with a letter or digit on both sides of each '.' and "
    f"at both ends, at most {MAX_NAME} characters"
)
NAMESPACE_FORM: Final = (
    "lower case letters, digits and '-', with a letter or digit at both ends, at most "
    f"{MAX_NAMESPACE} characters"
)
UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""A regular expression for `metadata.uid` in Python and Go (RFC 9562), without groups."""
_ONE_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_LABEL: Final = re.compile(_ONE_LABEL)
_SUBDOMAIN: Final = re.compile(rf"{_ONE_LABEL}(?:\.{_ONE_LABEL})*")


def matches(glob: str, name: str) -> bool:
    """Whether `glob` matches the whole of `name`.

    It backtracks to the last star only, which bounds it to len(glob) x len(name) steps.
    """
    at, star, resume = 0, -1, 0
    index = 0
    while index < len(name):
        if at < len(glob) and glob[at] == "*":
            star, resume = at, index
            at += 1
        elif at < len(glob) and glob[at] in ("?", name[index]):
            at += 1
            index += 1
        elif star >= 0:
            resume += 1
            at, index = star + 1, resume
        else:
            return False
    return glob[at:].strip("*") == ""


def matches_any(globs: Iterable[str], name: str) -> bool:
    """Whether one of `globs` matches; an empty name matches none."""
    return bool(name) and any(matches(glob, name) for glob in globs)


def is_name(text: str) -> bool:
    """Whether it is valid as `metadata.name` of an object: a subdomain as in RFC 1123."""
    return len(text) <= MAX_NAME and _SUBDOMAIN.fullmatch(text) is not None


def is_namespace(text: str) -> bool:
    """Whether it is valid as the name of a namespace: a label as in RFC 1123."""
    return len(text) <= MAX_NAMESPACE and _LABEL.fullmatch(text) is not None
