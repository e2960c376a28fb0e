"""Processing of large reviews in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

import pytest

from roadstead_webhooks.admission.offload import (
    LARGE_EFFORT,
    MAX_LARGE_REVIEWS,
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


def test_number_of_waiting_large_reviews_is_limited(offload: Offload) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_LARGE_REVIEWS):
            stack.enter_context(offload.admitting(LARGE_EFFORT + 1))
        with pytest.raises(TooManyReviews), offload.admitting(LARGE_EFFORT + 1):
            raise AssertionError("it was let in")
    with offload.admitting(LARGE_EFFORT + 1):
        pass


def test_small_review_does_not_wait_for_a_large_one(offload: Offload) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_LARGE_REVIEWS):
            stack.enter_context(offload.admitting(LARGE_EFFORT + 1))
        for _ in range(10 * MAX_LARGE_REVIEWS):
            stack.enter_context(offload.admitting(LARGE_EFFORT))
