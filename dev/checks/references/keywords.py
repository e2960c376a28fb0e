"""The keywords of a schema: an unknown one must not be left out silently."""

from __future__ import annotations

from collections.abc import Iterable


class UnknownKeyword(Exception):
    """A schema has a keyword that the reference doesn't render."""


def check_keywords(found: Iterable[str], known: frozenset[str], path: str, module: str) -> None:
    """Raise UnknownKeyword, which names the module that has to render it."""
    unknown = sorted(set(found) - known)
    if unknown:
        raise UnknownKeyword(
            f"{path}: the reference does not render {', '.join(unknown)}: "
            f"add it to {module.replace('.', '/')}.py"
        )
