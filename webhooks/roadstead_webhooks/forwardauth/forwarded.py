"""The request that a verdict is asked for, as the gateway tells of it (pure).

The server is the one in the path of the question, which the operator has written into the gateway's
configuration. What the caller asked for is only held against it: a gateway whose router and whose
next hop could read the caller's path in two ways is refused (400) whatever the token says.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from roadstead.tokens.sessions import Headers, only

METHOD: Final = "X-Forwarded-Method"
URI: Final = "X-Forwarded-Uri"
MAX_URI_BYTES: Final = 8192

_UUID: Final = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_QUESTION: Final = re.compile(rf"/verify/({_UUID})")
_METHOD: Final = re.compile(r"[A-Z]{1,16}")
# No empty and no dot segment, nothing encoded, no parameter: what has only one reading.
_PATH: Final = re.compile(rf"/({_UUID})((?:/(?!\.{{1,2}}(?:/|$))[A-Za-z0-9._~@:+,=-]+)*/?)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forwarded:
    """What the caller asks of the server: `path` begins after its UUID and has no query."""

    method: str
    path: str


class BadQuestion(Exception):
    """The gateway's question can't be answered; `reason` is CamelCase, the message for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def asked_server(path: str) -> str | None:
    """The UUID in `/verify/<uuid>`, or None for any other path."""
    match = _QUESTION.fullmatch(path)
    return match[1] if match else None


def read_forwarded(headers: Headers, server_uuid: str) -> Forwarded:
    """The caller's method and path; BadQuestion unless both are there once, and of that server."""
    method, uri = read_method(headers), only(headers, URI)
    if method is None:
        message = f"the gateway says no method of 1 to 16 upper case letters in {METHOD}"
        raise BadQuestion("MethodInvalid", message)
    if uri is None:
        raise BadQuestion("PathMissing", f"the gateway says no path in {URI}, or several")
    if len(uri) > MAX_URI_BYTES:
        raise BadQuestion("PathTooLong", f"the path and query have over {MAX_URI_BYTES} bytes")
    match = _PATH.fullmatch(uri.partition("?")[0])
    if match is None or match[1] != server_uuid:
        message = (
            "the path is not of letters, digits and ._~@:+,=- between single slashes; "
            "write it without %, ; and dot segments"
        )
        raise BadQuestion("PathInvalid", message)
    return Forwarded(method=method, path=match[2])


def read_method(headers: Headers) -> str | None:
    """The caller's method; None unless it is there once, and one."""
    method = only(headers, METHOD)
    return method if method and _METHOD.fullmatch(method) else None
