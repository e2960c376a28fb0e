"""Exempts the cache from the garbage collector, which would traverse it again and again.

With thousands of servers a full collection stops the event loop for a third of a second. The
objects of the cache are trees, which go when nobody refers to them any more.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Final

GROWTH: Final = 1_000
"""Objects more than there ever were, after which they are frozen.

Not at each change: cycles that are frozen by chance, such as those of a running task, stay.
"""
STEP: Final = 0.5
YOUNG: Final = 1
"""The generations that are collected before, which takes no time."""


class GcFreeze:
    """Freezes all there is (`gc.freeze`) each time that the cache has grown by `GROWTH` objects."""

    def __init__(self, size: Callable[[], int]) -> None:
        self._size = size
        self._most = 0

    async def keep(self) -> None:
        """Look twice a second, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(STEP)

    def look(self) -> bool:
        """Freeze where it is time to; whether it was."""
        size = self._size()
        if size < self._most + GROWTH:
            return False
        gc.collect(YOUNG)
        gc.freeze()
        self._most = size
        return True
