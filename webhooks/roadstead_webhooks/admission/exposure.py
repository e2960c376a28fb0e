"""When the path with the secret may have been shown to somebody."""

from __future__ import annotations

import datetime
from collections.abc import Callable


class Exposure:
    """The last time that the API server may have failed to get an answer.

    It then tells whoever sent the object, and quotes the address that it called.
    """

    def __init__(self, clock: Callable[[], datetime.datetime]) -> None:
        self._clock = clock
        self.last = clock()
        """The start counts: the webhooks may have been away before."""

    def mark(self) -> None:
        """A call was given up just now."""
        self.last = self._clock()
