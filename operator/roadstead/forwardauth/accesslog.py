"""The access log: a line for each request, written in batches."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Final, Protocol

from roadstead.clocks import Clock
from roadstead.forwardauth.verdict import AuthVerdict

FLUSH_SECONDS: Final = 0.25
MAX_LINES: Final = 1000
LOGGER: Final = "access"


class Stream(Protocol):
    """The output of the log, such as sys.stderr."""

    def write(self, text: str, /) -> int:
        """Write the text."""
        ...

    def flush(self) -> object:
        """Flush what was written."""
        ...


class AccessLog:
    """Logs no tokens, and of the request only the method: a query may contain a prompt."""

    def __init__(self, stream: Stream | None, *, as_json: bool, clock: Clock) -> None:
        self._stream = stream
        self._as_json = as_json
        self._clock = clock
        self._lines: list[str] = []
        self._due: asyncio.TimerHandle | None = None

    def note(self, verdict: AuthVerdict, *, server_uuid: str, method: str, seconds: float) -> None:
        """Log a request; does nothing without a stream."""
        if self._stream is None:
            return
        self._lines.append(self._line(verdict, server_uuid, method, seconds))
        if len(self._lines) >= MAX_LINES:
            self.flush()
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Write the buffered lines."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        lines, self._lines = self._lines, []
        if not lines or self._stream is None:
            return
        # A closed log must not stop the verdicts.
        with contextlib.suppress(OSError):
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()

    def _line(self, verdict: AuthVerdict, server_uuid: str, method: str, seconds: float) -> str:
        moment = self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        values = {
            "time": moment,
            "level": "info",
            "logger": LOGGER,
            "object": f"modelserve/{verdict.server}" if verdict.server else "",
            "server": server_uuid,
            "subject": verdict.subject,
            "method": method,
            "verdict": verdict.label,
            "reason": verdict.reason,
            "milliseconds": round(seconds * 1000, 3),
        }
        if self._as_json:
            return json.dumps({key: value for key, value in values.items() if value != ""})
        return " ".join(str(value) if value != "" else "-" for value in values.values())
