"""Signals of a process, and the cancellation of its tasks."""

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


def until_signalled() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    on_signals(stop)
    return stop


def on_continued(check: Callable[[], str]) -> None:
    """Exit with code 1 at SIGCONT if `check` returns a fault.

    Neither an exception nor the event loop is fast enough: pending requests would be sent first.
    """

    def continued(_number: int, _frame: FrameType | None) -> None:
        if reason := check():
            os.write(sys.stderr.fileno(), f"roadstead: {reason}\n".encode())
            os._exit(1)

    signal.signal(signal.SIGCONT, continued)


async def done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether `work` finished before `stop` was set."""
    tasks = asyncio.create_task(work), asyncio.create_task(once_set(stop))
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    done = tasks[0].done()
    await cancel_all([*tasks])
    return done


async def once_set(stop: asyncio.Event) -> None:
    """Wait until `stop` is set, as a coroutine."""
    await stop.wait()


async def cancel_all(tasks: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel the tasks that still run; raises the error of one that failed."""
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result


async def forever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()
