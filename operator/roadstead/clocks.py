"""Clocks. They are arguments wherever a test sets the time."""

from __future__ import annotations

import datetime
from collections.abc import Callable

Clock = Callable[[], datetime.datetime]
"""Returns the time, with a time zone, such as `utc_now`."""
Stopwatch = Callable[[], float]
"""Returns the seconds since some moment, never less than before, such as `time.monotonic`."""


def utc_now() -> datetime.datetime:
    """The current time in UTC."""
    return datetime.datetime.now(datetime.UTC)
