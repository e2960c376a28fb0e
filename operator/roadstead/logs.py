"""Log lines: JSON for machines or plain for people, each with the object it is about."""

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

FORMS: Final = ("json", "console")
LEVELS: Final = ("debug", "info", "warning", "error")

MAX_TEXT: Final = 4096
"""Characters of a line's text that are searched for secrets and written; the rest is left out."""
MAX_TRACE: Final = 8 * MAX_TEXT

_about: contextvars.ContextVar[str] = contextvars.ContextVar("about", default="")

_SECRETS: Final = re.compile(
    # Linear in the text, which a stranger may have written: a JWT is tried once per run of its
    # characters, and a parameter's name has at most 64 letters.
    r"(?P<jwt>(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*eyJ)[A-Za-z0-9_-]{11,}+\.[A-Za-z0-9_-]++\.?"
    r"[A-Za-z0-9_-]*+)"
    r"|(?P<bearer>(?i:bearer)\s+)[A-Za-z0-9._~+/=-]{8,}"
    # Anywhere: JSON writes the & before a parameter as \u0026, a redirect as %26.
    r"|(?P<query>(?i:x-(?:amz|goog)-[a-z-]{1,64}+(?:=|%3D)"
    r"|[?&](?:signature|sig|token|awsaccesskeyid)=))[^&\s\"']+"
)


@contextlib.contextmanager
def about(subject: str) -> Iterator[None]:
    """Within it, every line of this task names `subject`, such as `modelserve/demo/gemma`."""
    token = _about.set(subject)
    try:
        yield
    finally:
        _about.reset(token)


def redacted(text: str, *, limit: int = MAX_TEXT) -> str:
    """The text without JWTs, bearer tokens and the values of a presigned URL's query.

    A text of more than `limit` characters is cut to that length before it is searched.
    """
    found = _SECRETS.sub(lambda m: f"{m['bearer'] or m['query'] or ''}[redacted]", text[:limit])
    return found if len(text) <= limit else f"{found}... ({len(text) - limit} more characters)"


class _Lines(logging.Formatter):
    def __init__(self, *, as_json: bool, subject: str = "") -> None:
        super().__init__()
        self._as_json = as_json
        self._subject = subject

    def format(self, record: logging.LogRecord) -> str:
        """One line, or in console form more where there is a traceback."""
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

    `subject` is what every line is about that is not within `about`, in all threads.
    kopf's own loggers say at DEBUG what whole objects hold, so they stay at WARNING.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(as_json=form == "json", subject=subject))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("kopf", "aiohttp.access", "urllib3", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
