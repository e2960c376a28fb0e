"""How late the event loop is: a handler that blocks it holds up all others."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from roadstead import metrics

STEP: Final = 0.5


async def measure_lag() -> None:
    """Measure until cancelled."""
    while True:
        asked = time.monotonic() + STEP
        await asyncio.sleep(STEP)
        metrics.EVENT_LOOP_LAG.observe(max(0.0, time.monotonic() - asked))
