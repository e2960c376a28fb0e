"""Processing of large reviews in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from roadstead_webhooks.admission.offload import (
    EFFORT_PER_SECOND,
    LARGE_EFFORT,
    MAX_LARGE_REVIEWS,
    MAX_LARGE_REVIEWS_OF_ONE,
    Offload,
    TooManyReviews,
)


@pytest.fixture
def offload() -> Iterator[Offload]:
    made = Offload()
    yield made
    made.close()


async def test_small_review_is_processed_immediately(offload: Offload) -> None:
    assert await offload.run(LARGE_EFFORT, threading.get_ident) == threading.get_ident()


async def test_small_reviews_are_answered_while_a_large_one_is_processed(offload: Offload) -> None:
    done = threading.Event()
    large = asyncio.create_task(offload.run(LARGE_EFFORT + 1, done.wait, 30))
    assert await offload.run(1, str, 5) == "5"
    assert not large.done()
    done.set()
    assert await large


async def test_large_reviews_take_turns(offload: Offload) -> None:
    threads = await asyncio.gather(
        *(offload.run(LARGE_EFFORT + 1, threading.get_ident) for _ in range(8))
    )
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


async def test_error_in_the_thread_is_raised_to_the_caller(offload: Offload) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await offload.run(LARGE_EFFORT + 1, int, "x")


async def _admit(stack: contextlib.AsyncExitStack, offload: Offload, effort: int) -> None:
    """Admit the most large reviews of each of two namespaces."""
    for number in range(MAX_LARGE_REVIEWS):
        namespace = "ab"[number % 2]
        await stack.enter_async_context(offload.admitting(effort, namespace=namespace))


async def _enter(offload: Offload, effort: int, namespace: str = "") -> None:
    async with offload.admitting(effort, namespace=namespace):
        pass


async def test_number_of_waiting_large_reviews_is_limited(offload: Offload) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await _admit(stack, offload, LARGE_EFFORT + 1)
        with pytest.raises(TooManyReviews):
            await _enter(offload, LARGE_EFFORT + 1, "c")
    await _enter(offload, LARGE_EFFORT + 1, "c")


async def test_one_namespace_leaves_room_for_large_reviews_of_others(offload: Offload) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MAX_LARGE_REVIEWS_OF_ONE):
            await stack.enter_async_context(offload.admitting(LARGE_EFFORT + 1, namespace="a"))
        with pytest.raises(TooManyReviews):
            await _enter(offload, LARGE_EFFORT + 1, "a")
        await _enter(offload, LARGE_EFFORT + 1, "b")


async def test_small_review_does_not_wait_for_a_large_one(offload: Offload) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await _admit(stack, offload, LARGE_EFFORT + 1)
        for _ in range(10 * MAX_LARGE_REVIEWS):
            await stack.enter_async_context(offload.admitting(LARGE_EFFORT))


async def test_large_reviews_begin_at_a_limited_rate(offload: Offload) -> None:
    await _enter(offload, 3600 * EFFORT_PER_SECOND)
    next_one = asyncio.create_task(_enter(offload, LARGE_EFFORT + 1))
    await _enter(offload, LARGE_EFFORT)
    finished, _ = await asyncio.wait([next_one], timeout=0.05)
    next_one.cancel()
    assert not finished


async def test_review_that_is_given_up_while_it_waits_delays_no_other(offload: Offload) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(offload.admitting(LARGE_EFFORT + 1))
        waiting = asyncio.create_task(_enter(offload, 3600 * EFFORT_PER_SECOND))
        await asyncio.sleep(0)
        waiting.cancel()
    await _enter(offload, LARGE_EFFORT + 1)
