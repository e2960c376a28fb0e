"""Pauses before a request that ended early is sent again.

kopf has no pause between its watches or logins: a server or proxy that accepts watches and ends
them at once gets thousands of requests a second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from roadstead.clocks import Stopwatch
from roadstead.exponential_backoff import Backoff

SHORT_WATCH_SECONDS: Final = 5.0
"""A watch that ends sooner has failed."""
MAX_PAUSE_SECONDS: Final = 15.0
_BACKOFF: Final = Backoff(first=0.25, longest=MAX_PAUSE_SECONDS)


class WatchBackoff:
    """Delays requests by name; the delay grows while they end early."""

    def __init__(
        self,
        clock: Stopwatch = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._started: dict[str, float] = {}
        self._failures: dict[str, int] = {}

    async def wait(self, name: str) -> None:
        """Wait until the request may be sent: at once, unless the last one ended early."""
        lasted = self._clock() - self._started.get(name, float("-inf"))
        failures = self._failures[name] = (
            self._failures.get(name, 0) + 1 if lasted < SHORT_WATCH_SECONDS else 0
        )
        if failures:
            await self._sleep(_BACKOFF.jittered(failures))
        self._started[name] = self._clock()
