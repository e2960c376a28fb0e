"""Size limits of the ledger's columns, for values from objects and requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_TEXT: Final = 1024
"""Characters of a text without a limit in MAX_TEXTS."""
MAX_TEXTS: Final[Mapping[str, int]] = {
    "name": 254,
    "namespace": 63,
    "operation": 16,
    "kind": 64,
    "reason": 128,
    "username": 512,
    "status_message": 4096,
}
MAX_JSON: Final = 2**20
"""Size limit of a list or map: characters of its texts, and _VALUE_SIZE for each value."""
_VALUE_SIZE: Final = 8
"""The size of a value, without its text."""


def bounded(column: str, value: Any) -> Any:
    """Return the value to store: cut to the limit of its column, and without NUL in texts.

    Items of a list or map beyond the limit are dropped.
    """
    if isinstance(value, str):
        return _cut(_storable(value), MAX_TEXTS.get(column, MAX_TEXT))
    return _Room(MAX_JSON).fit(value)


class _Room:
    """The remaining size of a list or map."""

    def __init__(self, size: int) -> None:
        self._left = size

    def fit(self, value: Any) -> Any:
        """Return as much of the value as fits."""
        if isinstance(value, str):
            text = _cut(_storable(value), max(1, self._left))
            self._left -= len(text)
            return text
        if isinstance(value, dict):
            return {self.fit(key): self.fit(item) for key, item in value.items() if self._take()}
        if isinstance(value, list | tuple):
            return [self.fit(item) for item in value if self._take()]
        return value

    def _take(self) -> bool:
        self._left -= _VALUE_SIZE
        return self._left > 0


def _storable(text: str) -> str:
    """Replace NUL, which Postgres can't store in a text."""
    return text.replace("\x00", "\ufffd")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
