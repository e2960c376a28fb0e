"""Names with wildcards, as in contracts: `*` is any characters, `?` is one."""

from __future__ import annotations

from collections.abc import Iterable


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
