"""How the cost of some work grows with the length of its input, on a machine that is busy.

What counts is CPU time of this thread, and only its growth. 16 times the input costs a linear
function 16 times as much, a quadratic one 256 times: what is more than 64 times is not linear, and
a measurement may be wrong by a factor of four. The least of several runs is taken, since other work
of the machine only adds to it.
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
"""Of half the length: what ends within this time is not measured any further. Quadratic work does
not, even with half a nanosecond for a step and thirty characters from one step to the next."""
LAST_SECONDS: Final = 1.0
"""Work that takes this long is stopped: nothing that is linear does."""

Prepare = Callable[[int], Callable[[], object]]
"""Makes an input of this length, and the work on it, which alone is measured."""


def excess(prepare: Prepare, *, length: int = LENGTH) -> str:
    """How the work grows where that is more than linear; empty where it is linear."""
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
    """No collection of garbage within; an end after LAST_SECONDS, within a search of `re` too."""

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
