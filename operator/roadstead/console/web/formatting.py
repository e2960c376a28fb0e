"""Formats numbers, times and reasons for pages (pure)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from roadstead.api.quantity import size_text

MEGABYTE: Final = 10**6
NO_VALUE: Final = "\u2013"
_STEPS: Final = (
    (60 * 60 * 24 * 365, "year"),
    (60 * 60 * 24 * 30, "month"),
    (60 * 60 * 24, "day"),
    (60 * 60, "hour"),
    (60, "minute"),
)
_REASONS: Final[Mapping[str, str]] = {
    "Ready": "Answers requests.",
    "Answered": "Answers requests.",
    "ScaledToZero": "Stopped: it is scaled to zero replicas.",
    "Deleted": "It was deleted.",
    "Unknown": "Not reconciled yet.",
    "Stored": "Stored and verified.",
    "Verified": "Stored and verified.",
    "Exhausted": "A total of the contract is used up.",
}


def reason_text(reason: str, message: str) -> str:
    """Return the operator's message, or a text for the reason."""
    if message:
        return message[:1].upper() + message[1:]
    if reason in _REASONS:
        return _REASONS[reason]
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", reason)
    return f"{words.capitalize()}."


def memory(megabytes: float | None) -> str:
    """Format megabytes in the binary units of Kubernetes' quantities."""
    return NO_VALUE if megabytes is None else size_text(round(megabytes * MEGABYTE))


def size(count: int | None) -> str:
    """Format bytes."""
    return NO_VALUE if count is None else size_text(count)


def cores(percent: float | None) -> str:
    """Format percent of one core as cores."""
    if percent is None:
        return NO_VALUE
    return f"{percent / 100:.2f} {'core' if percent == 100 else 'cores'}"


def speed(tokens: float | None) -> str:
    """Format tokens per second."""
    return NO_VALUE if tokens is None else f"{tokens:.1f} tokens/s"


def host(url: str) -> str:
    """Return the host and port of a URL."""
    return urlsplit(url).netloc or url


def parameters(count: int | None) -> str:
    """Format a number of parameters, such as `268 M` or `7.24 B`."""
    for factor, unit in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count is not None and count >= factor:
            return f"{count / factor:.3g} {unit}"
    return NO_VALUE if count is None else str(count)


def number(count: int | None) -> str:
    """Format a whole number with thin spaces between thousands."""
    return NO_VALUE if count is None else f"{count:,}".replace(",", "\u202f")


def share(part: float | None, whole: float | None) -> int | None:
    """Return the share in whole percent, at most 100; None if a value is missing."""
    if part is None or not whole:
        return None
    return max(0, min(100, round(part * 100 / whole)))


def when(moment: datetime.datetime | None, now: datetime.datetime) -> str:
    """Format a time relative to `now`: `3 minutes ago`, `in 2 hours`, `just now`."""
    if moment is None:
        return NO_VALUE
    seconds = round((now - moment).total_seconds())
    if -5 < seconds < 5:
        return "just now"
    return f"{_span(seconds)} ago" if seconds > 0 else f"in {_span(-seconds)}"


def exact(moment: datetime.datetime | None) -> str:
    """Format a time to the second, in UTC."""
    if moment is None:
        return ""
    return moment.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(seconds: int) -> str:
    for step, unit in _STEPS:
        if seconds >= step:
            count = seconds // step
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"
