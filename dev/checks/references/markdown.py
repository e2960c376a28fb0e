"""Markdown elements of the generated references."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_CODE_SPANS: Final = re.compile(r"(`[^`]*`)")
_DOCS_PATH: Final = re.compile(r"\bdocs/([\w/-]+\.md)")


def prose(text: str) -> str:
    """Text as a paragraph: no HTML, no emphasis, and paths of docs/ as links."""
    parts = _CODE_SPANS.split(" ".join(text.split()))
    return "".join(part if part.startswith("`") else _plain(part) for part in parts)


def code(value: object) -> str:
    """A code span; the value may contain backticks."""
    text = str(value)
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def choice(values: Sequence[object]) -> str:
    """The values of an enumeration: one of `a`, `b`; empty for no values."""
    text = ", ".join(map(code, values))
    return f"one of {text}" if len(values) > 1 else text


def span(low: int | None, high: int | None, unit: str = "") -> str:
    """The bounds of a number or a count: `1 to 63 characters`."""
    if low is None and high is None:
        return ""
    if low == 1 and high is None and unit:
        return "not empty"
    if low is None:
        text = f"at most {high}"
    elif high is None:
        text = f"at least {low}"
    else:
        text = f"{low} to {high}"
    return f"{text} {unit}".strip()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may contain `|`."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def anchor(heading: str) -> str:
    """The fragment that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _plain(text: str) -> str:
    escaped = text.replace("<", "&lt;").replace("*", "\\*")
    return _DOCS_PATH.sub(r"[docs/\1](../\1)", escaped)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
