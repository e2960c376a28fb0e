"""Shares equal parts of objects: a thousand Deployments differ in few strings."""

from __future__ import annotations

import sys
from itertools import chain
from typing import Any, Final

MAX_SHARED_PARTS: Final = 10_000
"""The number of shared parts, about half a MiB; beyond it, sharing starts again."""
MAX_INTERNED_CHARACTERS: Final = 64
"""The longest string that is interned; longer ones are rarely equal."""

_LIST: Final = 0
"""An ID that no object has; it distinguishes a list from a dict of the same parts."""


class Sharing:
    """Replaces the parts of values by equal parts of earlier values; results are read-only."""

    def __init__(self, limit: int = MAX_SHARED_PARTS) -> None:
        self._limit = limit
        self._parts: dict[tuple[int, ...], Any] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def of(self, value: Any) -> Any:
        """The value, a JSON value, built from shared parts."""
        if len(self._parts) >= self._limit:
            self._parts.clear()
        return self._of(value)

    def _of(self, value: Any) -> Any:
        # The key of a part is the identity of its own parts, which it keeps alive.
        kind = type(value)
        if kind is str:
            return sys.intern(value) if len(value) <= MAX_INTERNED_CHARACTERS else value
        if kind is dict:
            made = {sys.intern(name): self._of(part) for name, part in value.items()}
            return self._parts.setdefault(tuple(map(id, chain(made, made.values()))), made)
        if kind is list:
            items = [self._of(item) for item in value]
            return self._parts.setdefault((_LIST, *map(id, items)), items)
        return value
