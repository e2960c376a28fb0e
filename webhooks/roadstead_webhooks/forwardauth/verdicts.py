"""Verdicts that were told before: a token is verified once, not for each request."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

LIMIT: Final = 10_000
"""Verdicts that are kept: 14 MiB where each is of somebody with three groups."""

Told = TypeVar("Told")
Key = tuple[bytes, str]


def key_of(token: str, server_uuid: str) -> Key:
    """By the token's sha256: the tokens themselves are not kept."""
    return hashlib.sha256(token.encode()).digest(), server_uuid


class Verdicts(Generic[Told]):
    """The last `limit` verdicts of one generation.

    A generation is what verdicts rest on: contracts, servers, namespaces, revocations, keys. With a
    new one all that was told is forgotten.
    """

    def __init__(self, *, limit: int = LIMIT) -> None:
        self._limit = limit
        self._generation: Hashable = None
        self._told: OrderedDict[Key, tuple[int, Told]] = OrderedDict()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._told)

    def get(self, key: Key, *, generation: Hashable, now: int) -> Told | None:
        """What was told in this generation and has not ended at `now`, in seconds since 1970."""
        if generation != self._generation:
            self._told.clear()
            self._generation = generation
        until, told = self._told.get(key, (0, None))
        if told is None:
            return None
        if until <= now:
            del self._told[key]
            return None
        self._told.move_to_end(key)
        return told

    def put(self, key: Key, told: Told, *, generation: Hashable, until: int) -> None:
        """Keep what was found out in `generation`, unless that is over."""
        if generation != self._generation or not until:
            return
        self._told[key] = until, told
        self._told.move_to_end(key)
        while len(self._told) > self._limit:
            self._told.popitem(last=False)
