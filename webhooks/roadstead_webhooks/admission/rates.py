"""How much may be written of what others cause: token buckets, one per key and one for all."""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MAX_KEYS: Final = 4096
"""Keys that are remembered; the bucket of one that is forgotten is full again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rate:
    """So many at once, and so many a second from then on."""

    per_second: float
    burst: int


@dataclasses.dataclass
class _Bucket:
    """What is left at a time."""

    left: float
    at: float

    def refill(self, rate: Rate, now: float) -> float:
        """What is left now."""
        self.left = min(float(rate.burst), self.left + (now - self.at) * rate.per_second)
        self.at = now
        return self.left


class RateLimit:
    """A bound for each key, so that one leaves room for others, and one for all together."""

    def __init__(
        self, each: Rate, total: Rate, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._each = each
        self._total = total
        self._clock = clock
        self._all = _Bucket(left=float(total.burst), at=clock())
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def allows(self, key: str) -> bool:
        """Whether one more may be written for `key`; if so, it counts."""
        now = self._clock()
        bucket = self._bucket(key, now)
        if bucket.refill(self._each, now) < 1 or self._all.refill(self._total, now) < 1:
            return False
        bucket.left -= 1
        self._all.left -= 1
        return True

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._buckets)

    def _bucket(self, key: str, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(left=float(self._each.burst), at=now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        return bucket
