"""The state of one kind's watch: where it resumes, when a list is due, and pauses. Pure.

Every process decides by it: the operator, whose watches are kopf's, and the others (`watch.py`).
"""

from __future__ import annotations

import time
from typing import Final

from roadstead.clocks import Stopwatch
from roadstead.exponential_backoff import Backoff

WATCH_TIMEOUT_SECONDS: Final = 70.0
"""A watch that is silent for longer is closed: the API server sends a bookmark about once a
minute."""
SHORT_WATCH_SECONDS: Final = 5.0
"""An attempt that ends sooner counts as failed."""
WATCH_BACKOFF: Final = Backoff(first=0.25, longest=15.0)


class WatchBackoff:
    """Pauses between attempts, which grow while they end early.

    A server or proxy that accepts watches and closes them at once would otherwise get thousands of
    requests a second.
    """

    def __init__(self, clock: Stopwatch = time.monotonic) -> None:
        self._clock = clock
        self._started: float | None = None
        self._failures = 0

    def begin(self) -> None:
        """Begin an attempt."""
        self._started = self._clock()

    def end(self, *, failed: bool = False) -> None:
        """End the attempt, if one has begun; a failed one has a pause after it in any case."""
        if self._started is None:
            return
        early = self._clock() - self._started < SHORT_WATCH_SECONDS
        self._failures = self._failures + 1 if early else int(failed)
        self._started = None

    def pause(self) -> float:
        """The jittered pause before the next attempt in seconds; ends an attempt that is open."""
        self.end()
        return WATCH_BACKOFF.jittered(self._failures)


class WatchState:
    """What decides how the watch of one kind continues.

    An attempt begins, lists if `list_due`, receives events, and ends, fails or expires. A list is
    due:
    - at the start, and after the cache was dropped;
    - when the API server lacks the version to resume from;
    - after a failed attempt without any event: the API server may return with an older state;
    - after a failure during which the watch was silent for `limit` seconds: if it was resumed, it
      would be silent again until its next bookmark.
    Otherwise the watch resumes from `version`.
    """

    def __init__(
        self, *, limit: float = WATCH_TIMEOUT_SECONDS, clock: Stopwatch = time.monotonic
    ) -> None:
        self.limit = limit
        self.version = 0
        """The version to watch from; 0 before the first list."""
        self.list_due = True
        self._clock = clock
        self._backoff = WatchBackoff(clock)
        self._alive: float | None = None
        self._received = False

    def silence(self) -> float:
        """Seconds since the last list, event or bookmark; infinite before the first list."""
        return float("inf") if self._alive is None else self._clock() - self._alive

    def expect_events(self) -> None:
        """Count silence from now, if the kind was listed: its first watch starts later."""
        if self._alive is not None:
            self._alive = self._clock()

    def pause(self) -> float:
        """The pause before the next attempt in seconds."""
        return self._backoff.pause()

    def begin(self) -> None:
        """Begin an attempt."""
        self._received = False
        self._backoff.begin()

    def listed(self, version: int) -> None:
        """Record a whole list of this version, also one that was read during an attempt."""
        self.version = max(self.version, version)
        self.list_due = False
        self._alive = self._clock()

    def received(self, version: int) -> None:
        """Record an event or a bookmark; `version` is 0 if it has none."""
        self.version = max(self.version, version)
        self._received = True
        self._alive = self._clock()

    def ended(self) -> None:
        """Record that the server ended the watch, as requested."""
        self._backoff.end()

    def failed(self) -> None:
        """Record that a request failed or the watch was interrupted."""
        self._backoff.end(failed=True)
        if not self._received or self.silence() >= self.limit:
            self._list_again()

    def expired(self) -> None:
        """Record that the API server lacks the version: it was discarded or not yet reached."""
        self._backoff.end()
        self._list_again()

    def dropped(self) -> None:
        """Record that the cache was dropped."""
        self._alive = None
        self._list_again()

    def _list_again(self) -> None:
        self.version, self.list_due = 0, True
