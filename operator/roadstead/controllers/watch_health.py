"""How long each of kopf's watches has been silent.

kopf shows handlers no bookmarks, which the API server sends about once a minute where nothing else
happens. So its connections are listened to (`connection.py`): a chunk counts when kopf takes it,
which a watch that has ended does no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from roadstead import metrics


class WatchHealth:
    """When each kind's watch was heard last, by any monotonic clock in seconds.

    `listed` is called with a kind (its plural) once kopf has listed it and watches on from there,
    or watches again after an attempt that failed; `resumed` where it just watches on.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
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
        """From now on these (plurals) should be heard of."""
        for kind in kinds:
            self.hear(kind)

    def hear(self, kind: str) -> None:
        """A watch has told something."""
        if kind not in self._heard:
            metrics.WATCH_SILENCE.labels(kind).set_function(lambda: self.silence(kind))
        self._heard[kind] = self._clock()

    def answered(self, kind: str, *, watch: bool) -> None:
        """The API server has begun to answer a list of a kind, or a watch."""
        if not watch:
            self._lists.add(kind)
            return
        self.hear(kind)
        if kind in self._lists:
            self._lists.discard(kind)
            self._listed(kind)
        else:
            self._resumed(kind)

    def failed(self, kind: str) -> None:
        """A watch could not be had: the API server may come back with an older state."""
        self._lists.add(kind)

    def silence(self, kind: str) -> float:
        """Seconds since a kind was heard of; 0 for one that never was."""
        now = self._clock()
        return now - self._heard.get(kind, now)

    def longest(self) -> tuple[float, str]:
        """The longest silence, and whose it is."""
        return max(((self.silence(kind), kind) for kind in self._heard), default=(0.0, ""))
