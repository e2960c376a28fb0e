"""Whether the operator has to be started anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Final

from roadstead.controllers.lag import LoopLag
from roadstead.controllers.leadership import Leadership
from roadstead.controllers.queue import WorkQueue
from roadstead.controllers.watch_health import WatchHealth

WORKER_STUCK_SECONDS: Final = 300.0
LAG_SECONDS: Final = 5.0
WATCH_SILENCE_SECONDS: Final = 150.0
"""kopf gives a watch up after 70 s without a bookmark, and begins another within 30 s."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Health:
    """What `/healthz` is made of."""

    queues: Collection[WorkQueue]
    lag: LoopLag
    hearing: WatchHealth
    leadership: Leadership

    def wrong(self) -> str:
        """What only a new start can heal: never that the API server or a store is away."""
        oldest = max(queue.oldest() for queue in self.queues)
        if oldest > WORKER_STUCK_SECONDS:
            return f"an object has waited {oldest:.0f} s"
        if self.lag.last > LAG_SECONDS:
            return f"the event loop was {self.lag.last:.0f} s late"
        silence, kind = self.hearing.longest()
        if silence > WATCH_SILENCE_SECONDS and self.leadership.answered():
            return f"the watch of {kind} has told nothing for {silence:.0f} s"
        return self.leadership.wrong()
