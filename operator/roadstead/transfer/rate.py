"""The rate and the remaining time of a transfer."""

from __future__ import annotations

from collections.abc import Callable

from roadstead.clocks import Stopwatch
from roadstead.transfer.messages import Event, Phase, Progress

SMOOTHING = 0.3
"""Weight of the newest report."""


class TransferRate:
    """Computes Progress from byte counts; `start` bytes were copied by earlier runs."""

    def __init__(self, *, total: int, start: int, now: float, phase: Phase) -> None:
        self._total = total
        self._done = start
        self._at = now
        self._phase = phase
        self._per_second: float | None = None

    def progress(self, done: int, now: float) -> Progress:
        """Return the progress at `now` (seconds of any monotonic clock)."""
        elapsed = now - self._at
        if elapsed > 0:
            newest = max(0.0, (done - self._done) / elapsed)
            previous = newest if self._per_second is None else self._per_second
            self._per_second = SMOOTHING * newest + (1 - SMOOTHING) * previous
            self._done, self._at = done, now
        per_second = int(self._per_second or 0)
        left = self._total - done
        return Progress(
            bytes_done=done,
            bytes_total=self._total,
            bytes_per_second=per_second,
            remaining_seconds=None if per_second < 1 else -(-left // per_second),
            phase=self._phase,
        )


class Reporter:
    """Emits Progress events; `clock` is any monotonic clock in seconds."""

    def __init__(self, emit: Callable[[Event], None], clock: Stopwatch) -> None:
        self.emit = emit
        self._clock = clock

    def start(self, total: int, start: int = 0, *, phase: Phase) -> Callable[[int], None]:
        """Return a function that reports the number of bytes done beyond `start`."""
        rate = TransferRate(total=total, start=start, now=self._clock(), phase=phase)
        return lambda moved: self.emit(rate.progress(start + moved, self._clock()))
