"""A cache of verdicts: a token is verified once, not for each request."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

LIMIT: Final = 10_000
"""Cached verdicts: 14 MiB for callers with three groups each."""

Verdict = TypeVar("Verdict")
Key = tuple[bytes, str]


def key_of(token: str, server_uuid: str) -> Key:
    """Return the cache key, with the token's sha256: tokens themselves are not stored."""
    return hashlib.sha256(token.encode()).digest(), server_uuid


class Verdicts(Generic[Verdict]):
    """The last `limit` verdicts of one generation.

    A generation is a state of all inputs: contracts, servers, namespaces, revocations, keys. A new
    generation clears the cache.
    """

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._generation: Hashable = None
        self._cache: OrderedDict[Key, tuple[int, Verdict]] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of cached verdicts."""
        return len(self._cache)

    def get(self, key: Key, *, generation: Hashable, now: int) -> Verdict | None:
        """Return a verdict of this generation not expired at `now`, in seconds since 1970."""
        if generation != self._generation:
            self._cache.clear()
            self._generation = generation
        until, verdict = self._cache.get(key, (0, None))
        if verdict is None:
            return None
        if until <= now:
            del self._cache[key]
            return None
        self._cache.move_to_end(key)
        return verdict

    def put(self, key: Key, verdict: Verdict, *, generation: Hashable, until: int) -> None:
        """Store a verdict of `generation`, unless the generation is outdated."""
        if generation != self._generation or not until:
            return
        self._cache[key] = until, verdict
        self._cache.move_to_end(key)
        while len(self._cache) > self._limit:
            self._cache.popitem(last=False)
