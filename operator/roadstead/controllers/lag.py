"""How late the event loop is: a handler that blocks it holds up all others."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from roadstead import metrics

STEP: Final = 0.5


class LoopLag:
    """Measures it; `last` is the last measurement, in seconds."""

    def __init__(self) -> None:
        self.last = 0.0

    async def measure(self) -> None:
        """Measure until cancelled."""
        while True:
            asked = time.monotonic() + STEP
            await asyncio.sleep(STEP)
            self.last = max(0.0, time.monotonic() - asked)
            metrics.EVENT_LOOP_LAG.observe(self.last)
