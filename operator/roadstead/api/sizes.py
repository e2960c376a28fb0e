"""Human-readable numbers."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def size_text(count: int) -> str:
    """Bytes in a binary unit with up to three digits, such as `241 MiB`."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"


def percent(done: int, total: int) -> int:
    """Whole percent, rounded down: 100 only if all is done."""
    return 0 if total <= 0 else min(100, done * 100 // total)


def seconds_text(seconds: int) -> str:
    """A duration such as `45 s`, `3 min` or `2 h 5 min`."""
    if seconds < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
