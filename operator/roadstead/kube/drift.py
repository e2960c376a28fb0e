"""Whether an object still is what was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def drifted(desired: Any, observed: Any) -> bool:
    """Whether a field of `desired` has another value in `observed`.

    Fields that only `observed` has are defaults, or belong to others, and do not count. Lists
    count as a whole: each item must be met by the item at its place.
    """
    if isinstance(desired, Mapping):
        if not isinstance(observed, Mapping):
            return bool(desired)
        return any(drifted(value, observed.get(key)) for key, value in desired.items())
    if isinstance(desired, Sequence) and not isinstance(desired, str):
        if not isinstance(observed, Sequence) or len(observed) != len(desired):
            return bool(desired) or bool(observed)
        return any(drifted(*pair) for pair in zip(desired, observed, strict=True))
    return bool(desired != observed) and not (not desired and observed is None)
