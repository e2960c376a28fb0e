"""Retries of transient failures: a bounded number, with backoff and jitter."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from roadstead.errors import SourceInterrupted, StoreInterrupted

TRANSIENT_ERRORS: Final = (SourceInterrupted, StoreInterrupted)
"""Errors that a retry may resolve."""
FIRST_DELAY_SECONDS: Final = 0.5
MAX_DELAY_SECONDS: Final = 20.0
_T = TypeVar("_T")


class Stopping(Exception):
    """The work stopped on request; what it has done is kept."""


def delay_seconds(failures: int, chance: float) -> float:
    """Return the delay after so many failures (at least 1); `chance` is from 0 to 1."""
    longest = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 16))
    return longest * (0.5 + chance / 2)


class RetryPolicy:
    """The number of attempts, and the event that stops retries."""

    def __init__(self, *, attempts: int, stop: threading.Event) -> None:
        self.attempts = attempts
        self.stop = stop

    def pause(self, failures: int) -> None:
        """Wait after so many failures; raises Stopping."""
        if self.stop.wait(delay_seconds(failures, random.random())):  # noqa: S311 - jitter
            raise Stopping

    def run(self, work: Callable[[], _T]) -> _T:
        """Return the result of `work`, retried while it raises TRANSIENT_ERRORS."""
        failures = 0
        while True:
            if self.stop.is_set():
                raise Stopping
            try:
                return work()
            except TRANSIENT_ERRORS:
                failures += 1
                if failures >= self.attempts:
                    raise
            self.pause(failures)
