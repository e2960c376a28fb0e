"""Processes large reviews in a thread beside the event loop, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

LARGE_EFFORT: Final = 64 * 1024
"""The effort (see `review.effort`) up to which a review takes a few milliseconds. Ordinary reviews
are below it."""
MAX_LARGE_REVIEWS: Final = 16
"""Concurrent large reviews. The last of so many is still answered within the API server's timeout;
each uses a few megabytes of memory."""

T = TypeVar("T")


class TooManyReviews(Exception):
    """The maximum number of large reviews is in progress."""


class Offload:
    """One thread, so that large reviews take at most half of the interpreter's time.

    The interpreter switches threads every few milliseconds, so small reviews are answered while
    large ones are processed.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="large-reviews")
        self._large = 0

    @contextlib.contextmanager
    def admitting(self, effort: int) -> Iterator[None]:
        """Count a review as in progress. Raises TooManyReviews at the maximum."""
        large = effort > LARGE_EFFORT
        if large and self._large >= MAX_LARGE_REVIEWS:
            raise TooManyReviews
        self._large += large
        try:
            yield
        finally:
            self._large -= large

    async def run(self, effort: int, work: Callable[..., T], *arguments: object) -> T:
        """Run `work(*arguments)`: in the thread if the effort is large, else immediately."""
        if effort <= LARGE_EFFORT:
            return work(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """Cancel waiting work and start no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
