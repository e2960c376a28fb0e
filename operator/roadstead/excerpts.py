"""Excerpts of untrusted text: one line, printable, limited length."""

from __future__ import annotations

from typing import Final

MAX_CHARACTERS: Final = 200


def excerpt(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Return the text on one line, cut to `limit` characters."""
    cut = text[: limit * 4]
    line = " ".join("".join(char if char.isprintable() else " " for char in cut).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
