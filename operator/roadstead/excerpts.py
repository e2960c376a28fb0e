"""Shortened text for messages: excerpts of untrusted text, texts of requests, lists of names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MAX_CHARACTERS: Final = 200

_SHOWN = 5
MAX_STATEMENT: Final = 512
"""Characters of one statement about a request, which may quote it."""
MAX_MESSAGE: Final = 4096
"""Characters of all statements about a request together."""


def excerpt(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Return the text on one line, cut to `limit` characters."""
    cut = text[: limit * 4]
    line = " ".join("".join(char if char.isprintable() else " " for char in cut).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def alternatives(names: Iterable[str]) -> str:
    """The first few of `names`, as alternatives."""
    return _first_few(names, "or") or "none"


def together(names: Iterable[str]) -> str:
    """The first few of `names`, all of which are required."""
    return _first_few(names, "and")


def _first_few(names: Iterable[str], conjunction: str) -> str:
    listed = sorted(names)
    more = f" {conjunction} {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def printable(text: str) -> str:
    """Replace unprintable characters by U+FFFD."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def truncate(text: str, limit: int = MAX_STATEMENT) -> str:
    """Truncate a text to `limit` characters and make it printable."""
    return printable(text if len(text) <= limit else f"{text[: limit - 3]}...")
