"""Slots for questions to servers, which answer when they like."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

PATIENCE_SECONDS: Final = 1.0
"""A server that is well answers within it, however many others don't."""

T = TypeVar("T")


@dataclasses.dataclass(kw_only=True)
class ServerSlots:
    """Bounds how many servers are asked at once, so that no server holds up the others.

    A question holds one of `at_once` slots for `patience` seconds at most. What takes longer goes
    on in one of `slow` slots of its own kind, and is given up where none of them is free.
    """

    at_once: int
    slow: int
    patience: float = PATIENCE_SECONDS

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.at_once)
        self._slow_slots = asyncio.Semaphore(self.slow)

    async def ask(self, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The answer, or what the question raises; TimeoutError where it is given up."""
        async with self._slots:
            task = asyncio.create_task(question())
            try:
                await asyncio.wait({task}, timeout=self.patience)
            except asyncio.CancelledError:
                task.cancel()
                raise
        try:
            if not task.done():
                await self._wait_slowly(task)
            return task.result()
        finally:
            task.cancel()

    async def _wait_slowly(self, task: asyncio.Task[T]) -> None:
        if self._slow_slots.locked():
            raise TimeoutError(f"no answer within {self.patience:g} s, and many others are slow")
        async with self._slow_slots:
            await asyncio.wait({task})
