"""Words of requests within our messages: cut, and without what would act on a terminal."""

from __future__ import annotations

from typing import Final

MAX_WORDS: Final = 512
"""Characters of one statement about a request, which may repeat a word of it."""
MAX_MESSAGE: Final = 4096
"""Characters of all statements about a request together."""


def printable(text: str) -> str:
    """The text with U+FFFD in place of control characters and the like."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def cut(text: str, limit: int = MAX_WORDS) -> str:
    """The beginning of a text that is longer than `limit`, printable."""
    return printable(text if len(text) <= limit else f"{text[: limit - 3]}...")
