"""When the secret in the webhooks' paths may last have been exposed."""

from __future__ import annotations

from roadstead.clocks import Clock


class Exposure:
    """The last time that the API server may have received no answer.

    Its error message to the sender of the object then contains the webhook's URL.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.last = clock()
        """The start counts, since the webhooks may have been unavailable before."""

    def mark(self) -> None:
        """Record that a call was aborted now."""
        self.last = self._clock()
