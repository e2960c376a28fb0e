"""The keywords of a schema: one that a page does not render must not be left out in silence."""

from __future__ import annotations

from collections.abc import Iterable


class UnknownKeyword(Exception):
    """A schema has a keyword that the reference would leave out."""


def check_keywords(found: Iterable[str], known: frozenset[str], path: str, module: str) -> None:
    """Raise UnknownKeyword, with the module that has to render it."""
    unknown = sorted(set(found) - known)
    if unknown:
        raise UnknownKeyword(
            f"{path}: the reference does not render {', '.join(unknown)}: "
            f"add it to {module.replace('.', '/')}.py"
        )
