"""Whether the operator must be restarted: its queues, event loop, watches and leadership."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Collection
from typing import Final

from roadstead import metrics
from roadstead.controllers.queue import WorkQueue
from roadstead.process.leadership import Leadership
from roadstead.watching.watched_kinds import WatchedKinds

LAG_POLL_SECONDS: Final = 0.5

WORKER_STUCK_SECONDS: Final = 300.0
LAG_SECONDS: Final = 5.0
WATCH_SILENCE_SECONDS: Final = 150.0
"""A watch is closed after 70 s without a bookmark, and another one starts within 30 s."""


class LoopLag:
    """The lag of the event loop; `last` is the last measurement, in seconds."""

    def __init__(self) -> None:
        self.last = 0.0

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            due = time.monotonic() + LAG_POLL_SECONDS
            await asyncio.sleep(LAG_POLL_SECONDS)
            self.last = max(0.0, time.monotonic() - due)
            metrics.EVENT_LOOP_LAG.observe(self.last)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Health:
    """The checks of `/healthz`."""

    queues: Collection[WorkQueue]
    lag: LoopLag
    watches: WatchedKinds
    leadership: Leadership

    def check(self) -> str:
        """A fault that a restart resolves, or ""; an unavailable API server or store is none."""
        oldest = max(queue.oldest() for queue in self.queues)
        if oldest > WORKER_STUCK_SECONDS:
            return f"a reconcile has been waiting for {oldest:.0f} s"
        if self.lag.last > LAG_SECONDS:
            return f"the event loop was {self.lag.last:.0f} s late"
        silence, kind = self.watches.longest_silence()
        if silence > WATCH_SILENCE_SECONDS and self.leadership.answered():
            return f"the watch of {kind} has been silent for {silence:.0f} s"
        return self.leadership.check()
