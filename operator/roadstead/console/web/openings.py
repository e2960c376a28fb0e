"""Limits of long-lived requests, in total and per subject."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from roadstead.tokens.claims import Claims
from roadstead.tokens.sessions import owner_id


class Openings:
    """Allows `most` requests of a process, and `each` of one subject."""

    def __init__(self, *, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def acquire(self, claims: Claims) -> Iterator[bool]:
        """Yield whether one more request is allowed; counts it until the end of the block."""
        owner = owner_id(claims)
        if self._open.total() >= self._most or self._open[owner] >= self._each:
            yield False
            return
        self._open[owner] += 1
        try:
            yield True
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
