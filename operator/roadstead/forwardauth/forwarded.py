"""The caller's request, as the gateway describes it (pure).

The server is in the path of the gateway's request, which the operator writes into the gateway's
configuration. The caller's path must match it: a path that the gateway's router and the next hop
could interpret differently is rejected (400), even with a valid token.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from roadstead.api.object_names import UUID
from roadstead.tokens.sessions import Headers, only

METHOD: Final = "X-Forwarded-Method"
URI: Final = "X-Forwarded-Uri"
MAX_URI_BYTES: Final = 8192

_QUESTION: Final = re.compile(rf"/verify/({UUID})")
_METHOD: Final = re.compile(r"[A-Z]{1,16}")
# No empty or dot segments, no percent-encoding, no parameters: paths with one interpretation.
_PATH: Final = re.compile(rf"/({UUID})((?:/(?!\.{{1,2}}(?:/|$))[A-Za-z0-9._~@:+,=-]+)*/?)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forwarded:
    """The caller's request to the server: `path` begins after its UUID and has no query."""

    method: str
    path: str


class BadQuestion(Exception):
    """The gateway's request is invalid; `reason` is CamelCase, the message is for users."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def parse_server_uuid(path: str) -> str | None:
    """Return the UUID in `/verify/<uuid>`, or None for any other path."""
    match = _QUESTION.fullmatch(path)
    return match[1] if match else None


def read_forwarded(headers: Headers, server_uuid: str) -> Forwarded:
    """Parse the caller's method and path. Raises BadQuestion if one is invalid or repeated."""
    method, uri = read_method(headers), only(headers, URI)
    if method is None:
        message = f"invalid header {METHOD}: expected one, of 1 to 16 upper case letters"
        raise BadQuestion("MethodInvalid", message)
    if uri is None:
        raise BadQuestion("PathMissing", f"missing or repeated header {URI}: expected one path")
    if len(uri) > MAX_URI_BYTES:
        raise BadQuestion("PathTooLong", f"the path and query exceed {MAX_URI_BYTES} bytes")
    match = _PATH.fullmatch(uri.partition("?")[0])
    if match is None or match[1] != server_uuid:
        message = (
            "invalid path: expected letters, digits and ._~@:+,=- between single slashes, "
            "without %, ; and dot segments"
        )
        raise BadQuestion("PathInvalid", message)
    return Forwarded(method=method, path=match[2])


def read_method(headers: Headers) -> str | None:
    """Return the caller's method; None unless it is valid and occurs once."""
    method = only(headers, METHOD)
    return method if method and _METHOD.fullmatch(method) else None
