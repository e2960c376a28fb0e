"""Shortened lists of names for messages."""

from __future__ import annotations

from collections.abc import Iterable

_SHOWN = 5


def alternatives(names: Iterable[str]) -> str:
    """The first few of `names`, as alternatives."""
    listed = sorted(names)
    more = f" or {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return (", ".join(listed[:_SHOWN]) or "none") + more


def together(names: Iterable[str]) -> str:
    """The first few of `names`, all of which are required."""
    listed = sorted(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
