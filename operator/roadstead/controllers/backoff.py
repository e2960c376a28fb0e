"""Pauses before a request that ended early is sent again.

kopf makes none between its watches, nor between its logins: a server, or something before it, that
accepts watches and ends them is asked thousands of times a second.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from roadstead.controllers.queue import backoff

SHORT_WATCH_SECONDS: Final = 5.0
"""What ends within so many seconds has ended at once."""
MAX_PAUSE_SECONDS: Final = 15.0


class WatchBackoff:
    """When things, known by name, may begin again; pauses grow while they end at once."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._begun: dict[str, float] = {}
        self._ended: dict[str, int] = {}

    async def turn(self, name: str) -> None:
        """Wait until it may begin; that is at once if its last time was not short."""
        lasted = self._clock() - self._begun.get(name, float("-inf"))
        ended = self._ended[name] = (
            self._ended.get(name, 0) + 1 if lasted < SHORT_WATCH_SECONDS else 0
        )
        if ended:
            spread = random.random()  # noqa: S311 - jitter only
            await self._sleep(min(MAX_PAUSE_SECONDS, backoff(ended, spread=spread)))
        self._begun[name] = self._clock()
