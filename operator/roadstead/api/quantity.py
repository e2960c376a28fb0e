"""Kubernetes quantities such as `500m` and `1.5Gi` (apimachinery, `resource.Quantity`).

Also sizes and times for people.
"""

from __future__ import annotations

import decimal
import re
from decimal import Decimal

from roadstead.errors import InvalidResource

_FORM = re.compile(
    r"([+-]?(?:[0-9]{1,24}(?:\.[0-9]{0,24})?|\.[0-9]{1,24}))([a-zA-Z]*|[eE][+-]?[0-9]{1,2})"
)
_FACTORS: dict[str, Decimal] = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
MEBIBYTE = 2**20
MAXIMUM = 2**63 - 1
"""The largest quantity that Kubernetes stores unchanged; larger ones count as this one."""

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def parse_quantity(value: str | int, *, field: str) -> Decimal:
    """The number. Raises `InvalidResource` for `field` if `value` is invalid."""
    match = _FORM.fullmatch(str(value))
    if match is None:
        raise _invalid(value, field)
    number, suffix = Decimal(match[1]), match[2]
    if suffix in _FACTORS:
        return number * _FACTORS[suffix]
    if suffix[:1] in ("e", "E") and suffix[1:]:
        return number * decimal.Context().power(Decimal(10), int(suffix[1:]))
    raise _invalid(value, field)


def _invalid(value: str | int, field: str) -> InvalidResource:
    shown = repr(str(value)[:40])
    return InvalidResource(field, f"invalid quantity {shown}: expected a value such as 500m or 2Gi")


def mebibytes(size: int) -> str:
    """`size` bytes as whole MiB, rounded up: `242Mi`."""
    return f"{-(-size // MEBIBYTE)}Mi"


def memory_text(size: int) -> str:
    """`size` bytes as an exact quantity in the largest unit that divides it: `24Gi`, `1536Mi`."""
    for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        unit = int(_FACTORS[suffix])
        if size and size % unit == 0:
            return f"{size // unit}{suffix}"
    return str(size)


def cpu_text(milli: int) -> str:
    """Thousandths of a core as an exact quantity: `2`, `2500m`."""
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


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
