"""Whether an object still has the desired fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from roadstead.api.quantity import parse_quantity
from roadstead.errors import InvalidResource

_QUANTITIES: Final = ("requests", "limits", "sizeLimit")
"""The API server normalizes numbers in these fields: `1000m` to `1`."""

_SELECTORS: Final = ("selector", "podSelector", "namespaceSelector", "nodeSelector")
"""An additional label in these changes what is selected, so it counts as drift. An apply removes
it, since these fields are atomic."""


def drifted(desired: Any, observed: Any) -> bool:
    """Whether a field of `desired` has another value in `observed`.

    Fields that only `observed` has are defaults or belong to others and do not count, except in
    selectors. Lists are compared item by item. Quantities are compared by value.
    """
    return _drifted(desired, observed, quantity=False)


def has_surplus(desired: Any, observed: Any) -> bool:
    """Whether `observed` has a field, at any depth, that `desired` lacks."""
    if isinstance(desired, Mapping) and isinstance(observed, Mapping):
        return any(
            value is not None and (key not in desired or has_surplus(desired[key], value))
            for key, value in observed.items()
        )
    if isinstance(desired, list) and isinstance(observed, list):
        return any(has_surplus(*pair) for pair in zip(desired, observed, strict=False))
    return False


def without_surplus(desired: Any, observed: Any) -> Any:
    """The merge patch that makes `observed` the same as `desired`, field by field."""
    if not (isinstance(desired, Mapping) and isinstance(observed, Mapping)):
        return desired
    removed = {key: None for key in observed if key not in desired}
    return removed | {
        key: without_surplus(value, observed.get(key)) for key, value in desired.items()
    }


def _drifted(desired: Any, observed: Any, *, quantity: bool) -> bool:
    if isinstance(desired, Mapping):
        if not isinstance(observed, Mapping):
            return bool(desired)
        return any(
            (key in _SELECTORS and _selects_differently(value, observed.get(key)))
            or _drifted(value, observed.get(key), quantity=quantity or key in _QUANTITIES)
            for key, value in desired.items()
        )
    if isinstance(desired, Sequence) and not isinstance(desired, str):
        if not isinstance(observed, Sequence) or len(observed) != len(desired):
            return bool(desired) or bool(observed)
        return any(
            _drifted(*pair, quantity=quantity) for pair in zip(desired, observed, strict=True)
        )
    if desired == observed or (not desired and observed is None):
        return False
    return not (quantity and _same_quantity(desired, observed))


def _selects_differently(desired: Any, observed: Any) -> bool:
    return (desired or None) != (observed or None)


def _same_quantity(desired: Any, observed: Any) -> bool:
    try:
        return parse_quantity(desired, field="") == parse_quantity(observed, field="")
    except InvalidResource:
        return False
