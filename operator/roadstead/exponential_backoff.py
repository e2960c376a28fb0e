"""The delays between attempts after consecutive failures."""

from __future__ import annotations

import dataclasses
import random
from typing import Final

_MAX_DOUBLINGS: Final = 32
"""Enough for any bounds; keeps the power small after many failures."""


@dataclasses.dataclass(frozen=True)
class Backoff:
    """Delays that double from `first` to `longest`, in seconds."""

    first: float
    longest: float

    def delay(self, failures: int, *, spread: float = 0.0) -> float:
        """The delay after so many consecutive failures; 0 after none.

        `spread`, from 0 to 1, shortens it by up to half, so that many objects that failed at the
        same time are not retried at the same time.
        """
        if failures <= 0:
            return 0.0
        delay = min(self.longest, self.first * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
        return delay * (1 - spread / 2)

    def jittered(self, failures: int) -> float:
        """The delay with a random spread."""
        return self.delay(failures, spread=random.random())  # noqa: S311 - jitter only
