"""Processes large reviews in a thread, one at a time and at a limited rate."""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

LARGE_EFFORT: Final = 64 * 1024
"""The effort (see `review.effort`) up to which a review takes a few milliseconds. Ordinary reviews
are below it."""
MAX_LARGE_REVIEWS: Final = 16
"""Concurrent large reviews. The last of so many is still answered within the API server's timeout;
each uses a few megabytes of memory."""
MAX_LARGE_REVIEWS_OF_ONE: Final = MAX_LARGE_REVIEWS // 2
"""Concurrent large reviews of one namespace."""
EFFORT_PER_SECOND: Final = 6 * 2**20
"""The effort of large reviews that begins in a second. While a sender waits for its turn it sends
the API server nothing else to decode, which costs more than a review costs here."""

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
        self._large: collections.Counter[str] = collections.Counter()
        self._turn = asyncio.Lock()
        self._next_turn = 0.0

    @contextlib.asynccontextmanager
    async def admitting(self, effort: int, *, namespace: str = "") -> AsyncIterator[None]:
        """Count a review as in progress; a large one waits until it may begin.

        Raises TooManyReviews at the maximum of all or of its namespace.
        """
        if effort <= LARGE_EFFORT:
            yield
            return
        if (
            self._large.total() >= MAX_LARGE_REVIEWS
            or self._large[namespace] >= MAX_LARGE_REVIEWS_OF_ONE
        ):
            raise TooManyReviews
        self._large[namespace] += 1
        try:
            await self._wait(effort)
            yield
        finally:
            self._large[namespace] -= 1
            self._large += collections.Counter()  # forget namespaces without reviews

    async def run(self, effort: int, work: Callable[..., T], *arguments: object) -> T:
        """Run `work(*arguments)`: in the thread if the effort is large, else immediately."""
        if effort <= LARGE_EFFORT:
            return work(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """Cancel waiting work and start no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _wait(self, effort: int) -> None:
        """Wait for the turns of earlier reviews; a large review alone begins at once."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(self._next_turn - loop.time())
            self._next_turn = loop.time() + effort / EFFORT_PER_SECOND
