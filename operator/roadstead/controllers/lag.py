"""Measures how late the event loop is: a handler that blocks it delays all others."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from roadstead import metrics

LAG_POLL_SECONDS: Final = 0.5


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
