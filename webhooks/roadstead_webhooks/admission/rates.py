"""Rate limits for writes that callers cause: token buckets, one per key and one for all."""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from typing import Final

from roadstead.clocks import Stopwatch

MAX_KEYS: Final = 4096
"""Keys with a bucket; a key that was dropped starts with a full bucket again."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rate:
    """A sustained rate, and the burst that is allowed at once."""

    per_second: float
    burst: int


@dataclasses.dataclass
class _Bucket:
    """The content of a bucket at a time."""

    left: float
    at: float

    def refill(self, rate: Rate, now: float) -> float:
        """Refill the bucket and return its content."""
        self.left = min(float(rate.burst), self.left + (now - self.at) * rate.per_second)
        self.at = now
        return self.left


class RateLimit:
    """A limit for each key, so that one key can't use up the limit for all."""

    def __init__(self, each: Rate, total: Rate, *, clock: Stopwatch = time.monotonic) -> None:
        self._each = each
        self._total = total
        self._clock = clock
        self._all = _Bucket(left=float(total.burst), at=clock())
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def allows(self, key: str) -> bool:
        """Return whether one more write for `key` is allowed, and count it if so."""
        now = self._clock()
        bucket = self._bucket(key, now)
        if bucket.refill(self._each, now) < 1 or self._all.refill(self._total, now) < 1:
            return False
        bucket.left -= 1
        self._all.left -= 1
        return True

    def __len__(self) -> int:
        """Return the number of keys with a bucket."""
        return len(self._buckets)

    def _bucket(self, key: str, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(left=float(self._each.burst), at=now))
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        return bucket
