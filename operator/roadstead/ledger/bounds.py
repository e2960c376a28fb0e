"""The most that a column of the ledger holds, whatever an object or a request says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MAX_TEXT: Final = 1024
"""Characters of a text that has no bound of its own here."""
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
"""Of a list or map: characters of its texts, and a few for each value."""
_VALUE: Final = 8
"""What a value takes besides its text."""


def bounded(column: str, value: Any) -> Any:
    """The value as it is stored: cut to the bound of its column, and without NUL in texts.

    Of a list or map, what is beyond the bound is left out.
    """
    if isinstance(value, str):
        return _cut(_storable(value), MAX_TEXTS.get(column, MAX_TEXT))
    return _Room(MAX_JSON).fit(value)


class _Room:
    """What is left for a list or map."""

    def __init__(self, size: int) -> None:
        self._left = size

    def fit(self, value: Any) -> Any:
        """The value, as much of it as there is room for."""
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
        self._left -= _VALUE
        return self._left > 0


def _storable(text: str) -> str:
    """Postgres keeps no NUL in a text."""
    return text.replace("\x00", "\ufffd")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
