"""Waits for controllers, the API server or a cluster."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
Predicate = Callable[[], object | Awaitable[object]]


async def assert_eventually(
    predicate: Predicate, timeout: float = 120.0, interval: float = 0.1
) -> None:
    """Call `predicate` until its result (which may be awaitable) is true.

    An AssertionError within it counts as false. After `timeout` seconds the last one is raised, or
    an AssertionError with the predicate's last result.
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


def wait_until(question: Callable[[], T], *, seconds: float = 120, step: float = 0.25) -> T:
    """Call `question` until its result is true, and return that; for synchronous code.

    Raises AssertionError with the last result after `seconds`; errors of `question` at once.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(step)
