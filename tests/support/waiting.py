"""Waiting for what a controller or the API server does in its own time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

Predicate = Callable[[], object | Awaitable[object]]


async def eventually(predicate: Predicate, timeout: float = 30.0, interval: float = 0.1) -> None:
    """Call `predicate` until what it answers (or awaits) is true.

    An AssertionError within it counts as not yet. After `timeout` seconds the last one is raised,
    or an AssertionError that says what the predicate answered last.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            answer = predicate()
            if inspect.isawaitable(answer):
                answer = await answer
            failure = AssertionError(f"not within {timeout:g} s; last answer: {answer!r}")
        except AssertionError as error:
            answer, failure = False, error
        if answer:
            return
        if time.monotonic() > deadline:
            raise failure
        await asyncio.sleep(interval)
