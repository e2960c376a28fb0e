"""How long each of kopf's watches has been silent.

kopf hides bookmarks, which the API server sends about once a minute without other events, from
handlers. So its connections are observed (`connection.py`): a chunk counts when kopf reads it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from roadstead.clocks import Stopwatch
from roadstead.kube.watch import WATCH_SILENCE


class WatchHealth:
    """The time of the last event of each kind's watch, in seconds of a monotonic clock.

    `listed` is called with a kind (its plural) when kopf watches it after a list or after a failed
    attempt; `resumed` when kopf resumes a watch.
    """

    def __init__(
        self,
        clock: Stopwatch = time.monotonic,
        *,
        listed: Callable[[str], None] = lambda _: None,
        resumed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._listed = listed
        self._resumed = resumed
        self._lists: set[str] = set()
        self._heard: dict[str, float] = {}

    def expect(self, kinds: Iterable[str]) -> None:
        """Expect events of these kinds (plurals) from now on."""
        for kind in kinds:
            self.record_event(kind)

    def record_event(self, kind: str) -> None:
        """Record that a watch received data."""
        if kind not in self._heard:
            WATCH_SILENCE.labels(kind).set_function(lambda: self.silence(kind))
        self._heard[kind] = self._clock()

    def answered(self, kind: str, *, watch: bool) -> None:
        """Record that the API server answers a list or a watch of a kind."""
        if not watch:
            self._lists.add(kind)
            return
        self.record_event(kind)
        if kind in self._lists:
            self._lists.discard(kind)
            self._listed(kind)
        else:
            self._resumed(kind)

    def failed(self, kind: str) -> None:
        """Record that a watch failed: the API server may return with an older state."""
        self._lists.add(kind)

    def silence(self, kind: str) -> float:
        """Seconds since the last event of a kind; 0 before the first."""
        now = self._clock()
        return now - self._heard.get(kind, now)

    def longest_silence(self) -> tuple[float, str]:
        """The longest silence in seconds, and its kind."""
        return max(((self.silence(kind), kind) for kind in self._heard), default=(0.0, ""))
