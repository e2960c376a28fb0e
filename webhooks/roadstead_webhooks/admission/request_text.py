"""Texts of requests in messages: truncated, and without terminal control characters."""

from __future__ import annotations

from typing import Final

MAX_STATEMENT: Final = 512
"""Characters of one statement about a request, which may quote it."""
MAX_MESSAGE: Final = 4096
"""Characters of all statements about a request together."""


def printable(text: str) -> str:
    """Replace unprintable characters by U+FFFD."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def truncate(text: str, limit: int = MAX_STATEMENT) -> str:
    """Truncate a text to `limit` characters and make it printable."""
    return printable(text if len(text) <= limit else f"{text[: limit - 3]}...")
