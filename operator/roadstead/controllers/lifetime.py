"""How a process waits, and how what it has begun ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType
from typing import Any


def on_signals(stop: asyncio.Event) -> None:
    """Set `stop` at SIGTERM or SIGINT.

    As PID 1 of a container a process gets neither without a handler.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


def on_continued(wrong: Callable[[], str]) -> None:
    """End at once, by code 1, where a process that was stopped goes on and `wrong` says why not to.

    Not by an exception and not by the event loop: first of all it would send what it was about to.
    """

    def continued(_number: int, _frame: FrameType | None) -> None:
        if reason := wrong():
            os.write(sys.stderr.fileno(), f"roadstead: {reason}\n".encode())
            os._exit(1)

    signal.signal(signal.SIGCONT, continued)


async def done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether `work` was done before `stop` was set."""
    tasks = asyncio.create_task(work), asyncio.create_task(once_set(stop))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    done = tasks[0].done()
    await cancelled([*tasks])
    return done


async def once_set(stop: asyncio.Event) -> None:
    """For where a coroutine is needed."""
    await stop.wait()


async def cancelled(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel what still runs; raises what made one of them end by itself."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def forever() -> None:
    """Until cancelled."""
    await asyncio.Event().wait()
