"""A line for each request, written many at a time."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Callable
from typing import Final, Protocol

from roadstead_webhooks.forwardauth.verdict import Verdict

FLUSH_SECONDS: Final = 0.25
MAX_LINES: Final = 1000
LOGGER: Final = "access"


class Stream(Protocol):
    """Where lines go, such as sys.stderr."""

    def write(self, text: str, /) -> int:
        """Take the text."""
        ...

    def flush(self) -> object:
        """Pass it on."""
        ...


class AccessLog:
    """Never a token, and of what was asked only the method: a query may hold a prompt."""

    def __init__(
        self, stream: Stream | None, *, as_json: bool, clock: Callable[[], datetime.datetime]
    ) -> None:
        self._stream = stream
        self._as_json = as_json
        self._clock = clock
        self._lines: list[str] = []
        self._due: asyncio.TimerHandle | None = None

    def note(self, verdict: Verdict, *, server_uuid: str, method: str, seconds: float) -> None:
        """Remember a request; without a stream it is not logged."""
        if self._stream is None:
            return
        self._lines.append(self._line(verdict, server_uuid, method, seconds))
        if len(self._lines) >= MAX_LINES:
            self.flush()
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write what is remembered."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._lines and self._stream is not None:
            self._stream.write("\n".join(self._lines) + "\n")
            self._stream.flush()
        self._lines.clear()

    def _line(self, verdict: Verdict, server_uuid: str, method: str, seconds: float) -> str:
        moment = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        values = {
            "time": moment,
            "level": "info",
            "logger": LOGGER,
            "object": f"modelserve/{verdict.server}" if verdict.server else "",
            "server": server_uuid,
            "subject": verdict.subject,
            "method": method,
            "verdict": word(verdict.status),
            "reason": verdict.reason,
            "milliseconds": round(seconds * 1000, 3),
        }
        if self._as_json:
            return json.dumps({key: value for key, value in values.items() if value != ""})
        return " ".join(str(value) if value != "" else "-" for value in values.values())


def word(status: int) -> str:
    """A verdict's status in a word, for lines and metrics."""
    return _WORDS.get(status, "failed")


_WORDS: Final = {
    200: "allowed",
    400: "bad-request",
    401: "unauthenticated",
    403: "denied",
    404: "not-found",
    503: "unavailable",
}
