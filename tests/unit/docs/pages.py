"""The pages of documentation, and what they refer to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).parents[3]
PAGES: Final = (
    *sorted((CHECKOUT / "docs").rglob("*.md")),
    *sorted(CHECKOUT.glob("*.md")),
    CHECKOUT / "chart" / "README.md",
)
_FENCED: Final = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"``.+?``|`[^`\n]+`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name_of(page: Path) -> str:
    """Its path in the repository."""
    return str(page.relative_to(CHECKOUT))


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """File and anchor of each link into the repository."""
    text = _CODE.sub("", _FENCED.sub("", page.read_text()))
    for target in _LINK.findall(text):
        if "://" not in target and not target.startswith("mailto:"):
            path, _, anchor = target.partition("#")
            yield (page.parent / path if path else page).resolve(), anchor


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of its headings, as GitHub makes them."""
    return frozenset(map(_anchor, _HEADING.findall(_FENCED.sub("", page.read_text()))))


def _anchor(heading: str) -> str:
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@cache
def symbols(path: Path) -> frozenset[str]:
    """Functions, classes, methods (`Class.method`) and constants of a module."""
    return frozenset(_symbols(ast.parse(path.read_text()).body))


def _symbols(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        match node:
            case ast.ClassDef():
                yield prefix + node.name
                yield from _symbols(node.body, f"{prefix}{node.name}.")
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield prefix + node.name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield prefix + name
