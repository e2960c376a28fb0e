"""Probes servers through the gateway: in short intervals at first, then about once a minute."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

from roadstead.controllers.server_slots import ServerSlots
from roadstead.exponential_backoff import Backoff
from roadstead.gateway.probe import Reached

PROBES_AT_ONCE: Final = 8
SLOW_PROBES_AT_ONCE: Final = 8
PROBE_SECONDS: Final = 60.0
_BACKOFF: Final = Backoff(first=0.25, longest=15.0)
"""The longest pause between probes of a server that does not answer through the gateway yet."""


class ServerProbe(Protocol):
    """A client that probes servers."""

    def check(self, server_uuid: str, *, now: int) -> Coroutine[Any, Any, Reached]:
        """The result of one probe."""


@dataclasses.dataclass(kw_only=True)
class _Followed:
    task: asyncio.Task[None]
    last: Reached | None = None


@dataclasses.dataclass(kw_only=True)
class Routes:
    """Probes each ready server periodically, and reports when the result changes."""

    probe: ServerProbe
    clock: Callable[[], int]
    on_change: Callable[[str], None]
    """Called with the `metadata.uid` of a server whose result changed."""
    slots: ServerSlots = dataclasses.field(
        default_factory=lambda: ServerSlots(at_once=PROBES_AT_ONCE, slow=SLOW_PROBES_AT_ONCE)
    )
    _followed: dict[str, _Followed] = dataclasses.field(default_factory=dict)

    def follow(self, uid: str, server_id: str) -> Reached | None:
        """Probe the server from now on; returns the last result, if there is one."""
        found = self._followed.get(uid)
        if found is None:
            task = asyncio.create_task(self._follow(uid, server_id))
            self._followed[uid] = _Followed(task=task)
            return None
        return found.last

    def forget(self, uid: str) -> None:
        """Stop probing a server that is deleted or not ready."""
        found = self._followed.pop(uid, None)
        if found is not None:
            found.task.cancel()

    async def close(self) -> None:
        """Stop all probes."""
        tasks = [found.task for found in self._followed.values()]
        self._followed.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _follow(self, uid: str, server_id: str) -> None:
        failures = 0
        while True:
            answered = False
            # A probe that was cancelled because too many are slow is no result.
            with contextlib.suppress(TimeoutError):
                answered = await self._probe(uid, server_id)
            failures = 0 if answered else failures + 1
            await asyncio.sleep(_pause(failures))

    async def _probe(self, uid: str, server_id: str) -> bool:
        """Probe once and report a new result; returns whether the server answered."""
        found = await self.slots.run(lambda: self.probe.check(server_id, now=self.clock()))
        known = self._followed[uid]
        if found != known.last:
            known.last = found
            self.on_change(uid)
        return found.answered


def _pause(failures: int) -> float:
    if not failures:
        return PROBE_SECONDS * (0.75 + random.random() / 2)  # noqa: S311 - jitter only
    return _BACKOFF.jittered(failures)
