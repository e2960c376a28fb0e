"""Retries with backoff."""

import threading

import pytest

from roadstead.errors import SourceError, SourceInterrupted
from roadstead.source.retry_policy import RetryPolicy, Stopping


def test_permanent_error_is_not_retried() -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        raise SourceError("SourceGone", "gone")

    with pytest.raises(SourceError):
        RetryPolicy(attempts=5, stop=threading.Event()).run(work)
    assert len(calls) == 1


def test_transient_error_is_retried_up_to_the_number_of_attempts() -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        raise SourceInterrupted("SourceUnreachable", "away")

    with pytest.raises(SourceInterrupted):
        RetryPolicy(attempts=2, stop=threading.Event()).run(work)
    assert len(calls) == 2


def test_stop_interrupts_the_delay() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopping):
        RetryPolicy(attempts=5, stop=stop).pause(5)
