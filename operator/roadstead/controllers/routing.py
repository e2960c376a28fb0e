"""Which servers answer through the gateway: asked quickly at first, then now and then."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from roadstead.controllers.queue import backoff
from roadstead.controllers.server_slots import ServerSlots
from roadstead.gateway.probe import Reached

AT_ONCE: Final = 8
SLOW_AT_ONCE: Final = 8
AGAIN_SECONDS: Final = 60.0
SLOWEST_SECONDS: Final = 15.0
"""Between probes of a server that is ready and does not answer through the gateway yet."""


class Asks(Protocol):
    """One probe."""

    def ask(self, server_uuid: str, *, now: int) -> Coroutine[Any, Any, Reached]:
        """What came of it."""


@dataclasses.dataclass(kw_only=True)
class _Followed:
    task: asyncio.Task[None]
    last: Reached | None = None


@dataclasses.dataclass(kw_only=True)
class Routes:
    """Follows each server that is ready, and tells when what it found becomes another thing."""

    probe: Asks
    clock: Callable[[], int]
    told: Callable[[str], None]
    """Called with the UUID of a server that has news."""
    slots: ServerSlots = dataclasses.field(
        default_factory=lambda: ServerSlots(at_once=AT_ONCE, slow=SLOW_AT_ONCE)
    )
    _followed: dict[str, _Followed] = dataclasses.field(default_factory=dict)

    def look(self, server_uuid: str) -> Reached | None:
        """What was found last; None before. From now on the server is followed."""
        found = self._followed.get(server_uuid)
        if found is None:
            task = asyncio.create_task(self._follow(server_uuid))
            self._followed[server_uuid] = _Followed(task=task)
            return None
        return found.last

    def forget(self, server_uuid: str) -> None:
        """Follow it no more: it is gone, or not ready."""
        found = self._followed.pop(server_uuid, None)
        if found is not None:
            found.task.cancel()

    async def close(self) -> None:
        """End all of it."""
        tasks = [found.task for found in self._followed.values()]
        self._followed.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _follow(self, server_uuid: str) -> None:
        failures = 0
        while True:
            answered = False
            # What was given up, since too many are slow, says nothing new of this server.
            with contextlib.suppress(TimeoutError):
                answered = await self._ask(server_uuid)
            failures = 0 if answered else failures + 1
            await asyncio.sleep(_pause(failures))

    async def _ask(self, server_uuid: str) -> bool:
        """Ask once, and tell of what is new; whether it answered."""
        found = await self.slots.ask(lambda: self.probe.check(server_uuid, now=self.clock()))
        known = self._followed[server_uuid]
        if found != known.last:
            known.last = found
            self.told(server_uuid)
        return found.answered


def _pause(failures: int) -> float:
    spread = random.random()  # noqa: S311 - only so that not all are asked at one moment
    if not failures:
        return AGAIN_SECONDS * (0.75 + spread / 2)
    return min(SLOWEST_SECONDS, backoff(failures, spread=spread))
