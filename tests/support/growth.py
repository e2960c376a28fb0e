"""Measures how the cost of work grows with the length of its input, also on a loaded machine.

Only the growth of this thread's CPU time counts. For 16 times the input, a linear function costs
16 times as much and a quadratic one 256 times. A factor of more than 64 is not linear, which allows
for measurements that are wrong by a factor of four. The minimum of several runs is used, since
other work of the machine only adds to it.
"""

from __future__ import annotations

import gc
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LENGTH: Final = 64 * 1024
FACTOR: Final = 16
MOST: Final = 64.0
RUNS: Final = 5
NEGLIGIBLE_SECONDS: Final = 0.003
"""If half the input takes less than this, nothing else is measured. Quadratic work takes longer,
even with half a nanosecond per step and thirty characters between steps."""
LAST_SECONDS: Final = 1.0
"""Work that takes this long is stopped: linear work never does."""

Prepare = Callable[[int], Callable[[], object]]
"""Creates an input of a length and returns the work on it, which alone is measured."""


def excess(prepare: Prepare, *, length: int = LENGTH) -> str:
    """Description of the growth if it is more than linear; empty if it is linear."""
    half = _seconds(prepare(length // 2))
    if half < NEGLIGIBLE_SECONDS:
        return ""
    if math.isinf(half):
        return f"it was stopped after {LAST_SECONDS} s"
    before = _least(prepare, length // FACTOR)
    if _seconds(prepare(length)) <= MOST * before:
        return ""
    after = _least(prepare, length)
    if after <= MOST * before:
        return ""
    return f"{after / before:.0f} times as much work for {FACTOR} times the input"


def _least(prepare: Prepare, length: int) -> float:
    least = math.inf
    for _ in range(RUNS):
        seconds = _seconds(prepare(length))
        if math.isinf(seconds):
            return seconds
        least = min(least, seconds)
    return least


def _seconds(work: Callable[[], object]) -> float:
    """CPU time of one run; infinite if it was stopped."""
    try:
        with _limited():
            started = time.thread_time()
            work()
            return time.thread_time() - started
    except _Stopped:
        return math.inf


class _Stopped(Exception):
    """The work took too long."""


@contextmanager
def _limited() -> Iterator[None]:
    """Disable garbage collection, and stop after LAST_SECONDS, even within a search of `re`."""

    def stop(*_: object) -> None:
        raise _Stopped

    before = signal.signal(signal.SIGVTALRM, stop)
    gc.disable()
    signal.setitimer(signal.ITIMER_VIRTUAL, LAST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        gc.enable()
        signal.signal(signal.SIGVTALRM, before)
