"""Waiting for what a controller, the API server or a cluster does in its own time."""

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
    """Call `predicate` until what it returns (or awaits) is true.

    An AssertionError within it counts as not yet. After `timeout` seconds the last one is raised,
    or an AssertionError with what the predicate returned last.
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
    """Call `question` until what it returns is true, and return that; for code without a loop.

    Raises AssertionError with what it returned last after `seconds`; its own errors at once.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(step)
