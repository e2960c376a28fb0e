"""Retries of transient failures: a bounded number, with backoff and jitter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from roadstead.errors import SourceInterrupted, StoreInterrupted
from roadstead.exponential_backoff import Backoff

TRANSIENT_ERRORS: Final = (SourceInterrupted, StoreInterrupted)
"""Errors that a retry may resolve."""
TRANSIENT_BACKOFF: Final = Backoff(first=0.5, longest=20.0)
_T = TypeVar("_T")


class Stopping(Exception):
    """The work stopped on request; what it has done is kept."""


class RetryPolicy:
    """The number of attempts, and the event that stops retries."""

    def __init__(self, *, attempts: int, stop: threading.Event) -> None:
        self.attempts = attempts
        self.stop = stop

    def pause(self, failures: int) -> None:
        """Wait after so many failures; raises Stopping."""
        if self.stop.wait(TRANSIENT_BACKOFF.jittered(failures)):
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
