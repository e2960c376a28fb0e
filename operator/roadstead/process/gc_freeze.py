"""Exempts the cache from the garbage collector.

With thousands of servers a full collection blocks the event loop for a third of a second. The
objects of the cache are trees, which reference counting frees.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Final

FREEZE_GROWTH: Final = 1_000
"""The growth of the cache, in objects, after which it is frozen.

Not at each change: cycles that happen to be frozen, such as those of a running task, are never
collected.
"""
FREEZE_POLL_SECONDS: Final = 0.5
YOUNG_GENERATION: Final = 1
"""The oldest generation that is collected before a freeze, which is fast."""


class GcFreeze:
    """Calls `gc.freeze` each time the cache has grown by `FREEZE_GROWTH` objects."""

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._most = 0

    async def run(self) -> None:
        """Poll twice a second until cancelled."""
        while True:
            self.freeze_if_grown()
            await asyncio.sleep(FREEZE_POLL_SECONDS)

    def freeze_if_grown(self) -> bool:
        """Freeze if the cache has grown enough; returns whether it froze."""
        size = self._size()
        if size < self._most + FREEZE_GROWTH:
            return False
        gc.collect(YOUNG_GENERATION)
        gc.freeze()
        self._most = size
        return True
