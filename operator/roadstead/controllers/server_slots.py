"""Slots for requests to servers, which may be slow."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

SLOW_SECONDS: Final = 1.0
"""The duration after which a request counts as slow."""

T = TypeVar("T")


@dataclasses.dataclass(kw_only=True)
class ServerSlots:
    """Bounds the concurrent requests, so that no server delays the others.

    A request occupies one of `at_once` slots for at most `slow_after` seconds. A longer request
    moves to one of the `slow` slots, or is cancelled if none is free.
    """

    at_once: int
    slow: int
    slow_after: float = SLOW_SECONDS

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.at_once)
        self._slow_slots = asyncio.Semaphore(self.slow)

    async def run(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the request, or its error; raises TimeoutError if it is cancelled."""
        async with self._slots:
            task = asyncio.create_task(request())
            try:
                await asyncio.wait({task}, timeout=self.slow_after)
            except asyncio.CancelledError:
                task.cancel()
                raise
        try:
            if not task.done():
                await self._wait_in_slow_slot(task)
            return task.result()
        finally:
            task.cancel()

    async def _wait_in_slow_slot(self, task: asyncio.Task[T]) -> None:
        if self._slow_slots.locked():
            raise TimeoutError(f"no answer within {self.slow_after:g} s, and many others are slow")
        async with self._slow_slots:
            await asyncio.wait({task})
