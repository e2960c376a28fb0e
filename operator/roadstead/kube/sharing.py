"""One copy of what many objects have in common: a thousand Deployments differ in a few strings."""

from __future__ import annotations

import sys
from itertools import chain
from typing import Any, Final

LIMIT: Final = 10_000
"""How many parts are known at once, about half a MiB; beyond, what is common is learnt anew."""
LONGEST: Final = 64
"""Characters of a string that is kept once; longer ones are rarely the same."""

_LIST: Final = 0
"""The id of no object: a list is no dict of the same parts."""


class Sharing:
    """Gives back what it is given, made of parts that earlier ones have too.

    What it gave is in others as well: nobody may change it.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._parts: dict[tuple[int, ...], Any] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def of(self, value: Any) -> Any:
        """The value, which is as JSON has it: dicts with strings for keys, lists, and the rest."""
        if len(self._parts) >= self._limit:
            self._parts.clear()
        return self._of(value)

    def _of(self, value: Any) -> Any:
        # A part is known by the identity of its own parts, which it keeps alive itself.
        kind = type(value)
        if kind is str:
            return sys.intern(value) if len(value) <= LONGEST else value
        if kind is dict:
            made = {sys.intern(name): self._of(part) for name, part in value.items()}
            return self._parts.setdefault(tuple(map(id, chain(made, made.values()))), made)
        if kind is list:
            items = [self._of(item) for item in value]
            return self._parts.setdefault((_LIST, *map(id, items)), items)
        return value
