"""Work on large reviews beside the event loop, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

LARGE: Final = 64 * 1024
"""The effort (see `review.effort`) up to which a review takes a few milliseconds; no review of
ordinary use takes more."""
MOST: Final = 16
"""Large reviews at once, the one that is worked on included. The last of them is still answered
within the API server's timeout, and each holds a few megabytes meanwhile."""

T = TypeVar("T")


class TooManyReviews(Exception):
    """As many large reviews as may wait do."""


class Offload:
    """One thread: however many large reviews come at once, the loop gets every other turn.

    The interpreter passes turns between threads after a few milliseconds, so that small reviews
    are answered while large ones are worked on.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="large-reviews")
        self._large = 0

    @contextlib.contextmanager
    def admitting(self, effort: int) -> Iterator[None]:
        """A review of that effort is in progress; TooManyReviews where there is no place for it."""
        large = effort > LARGE
        if large and self._large >= MOST:
            raise TooManyReviews
        self._large += large
        try:
            yield
        finally:
            self._large -= large

    async def run(self, effort: int, work: Callable[..., T], *arguments: object) -> T:
        """`work(*arguments)` for a review of that effort, at once where that is small."""
        if effort <= LARGE:
            return work(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """Begin nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
