"""Log lines, as JSON or as plain text, each with the object that it concerns."""

from __future__ import annotations

import contextlib
import contextvars
import datetime
import json
import logging
import re
import sys
from collections.abc import Iterator
from typing import Final

MAX_TEXT: Final = 4096
"""Characters of a line's text that are searched for secrets and written; the rest is cut."""
MAX_TRACE: Final = 8 * MAX_TEXT

_about: contextvars.ContextVar[str] = contextvars.ContextVar("about", default="")

_SECRETS: Final = re.compile(
    # Linear in the length of the text, which is untrusted: a JWT is matched once per run of its
    # characters, and a parameter's name has at most 64 letters.
    r"(?P<jwt>(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*eyJ)[A-Za-z0-9_-]{11,}+\.[A-Za-z0-9_-]++\.?"
    r"[A-Za-z0-9_-]*+)"
    r"|(?P<bearer>(?i:bearer)\s+)[A-Za-z0-9._~+/=-]{8,}"
    # Without a leading &: JSON encodes it as \u0026, a redirect as %26.
    r"|(?P<query>(?i:x-(?:amz|goog)-[a-z-]{1,64}+(?:=|%3D)"
    r"|[?&](?:signature|sig|token|awsaccesskeyid)=))[^&\s\"']+"
)


@contextlib.contextmanager
def about(subject: str) -> Iterator[None]:
    """Add `subject`, such as `modelserve/demo/gemma`, to every log line of this task."""
    token = _about.set(subject)
    try:
        yield
    finally:
        _about.reset(token)


def redacted(text: str, *, limit: int = MAX_TEXT) -> str:
    """Return the text without JWTs, bearer tokens and the values of a presigned URL's query.

    Longer texts are cut to `limit` characters before the search.
    """
    found = _SECRETS.sub(lambda m: f"{m['bearer'] or m['query'] or ''}[redacted]", text[:limit])
    return found if len(text) <= limit else f"{found}... ({len(text) - limit} more characters)"


class _Lines(logging.Formatter):
    def __init__(self, *, as_json: bool, subject: str = "") -> None:
        super().__init__()
        self._as_json = as_json
        self._subject = subject

    def format(self, record: logging.LogRecord) -> str:
        """Format one line; in console form, a traceback adds more."""
        message = record.getMessage()
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        values = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "object": redacted(_about.get() or self._subject),
            "message": redacted(message),
            "exception": redacted(trace, limit=MAX_TRACE),
        }
        if self._as_json:
            return json.dumps({key: value for key, value in values.items() if value})
        subject = f" {values['object']}:" if values["object"] else ""
        line = f"{values['time']} {values['level']:<7}{subject} {values['message']}"
        return f"{line}\n{values['exception']}" if trace else line


def configure(*, form: str, level: str, subject: str = "") -> None:
    """Send all logs to standard error; `form` is `json` or `console`, `level` a name like `info`.

    `subject` is the object of all lines outside `about`, in all threads. kopf logs whole objects at
    DEBUG, so its loggers stay at WARNING.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(as_json=form == "json", subject=subject))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("kopf", "aiohttp.access", "urllib3", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
