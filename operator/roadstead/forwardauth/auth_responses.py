"""Serializes verdicts for the gateway and the caller: status, headers, JSON (pure).

The body has the format of the OpenAI API's errors, so that its clients show the message.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from roadstead.forwardauth.verdict import AuthVerdict

REALM: Final = "roadstead"
SERVER: Final = "roadstead"
"""The header Server, which the gateway forwards with rejections."""
MAX_MESSAGE: Final = 300
"""Characters. The gateway treats an answer above its maxResponseBodySize as a failure."""
MAX_GROUPS_BYTES: Final = 4096
"""Limit of X-Auth-Groups, since servers limit their headers; groups beyond it are omitted."""
_SAFE: Final = "!#$&'*+-.^_`|~@/:="
"""Characters of subjects and groups that are not percent-encoded; commas are."""
_QUOTABLE: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
"""Characters that RFC 6750, 3 does not allow in error_description."""
_ALWAYS: Final[Mapping[str, str]] = {"Cache-Control": "no-store", "Server": SERVER}
_TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    503: "unavailable_error",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuthResponse:
    """The HTTP response for a verdict."""

    verdict: AuthVerdict
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    body: bytes = b""


def allow(verdict: AuthVerdict, server_key: str) -> AuthResponse:
    """Return the response for the gateway: the server's key instead of the caller's token.

    X-Auth-Subject and X-Auth-Groups are always set, percent-encoded, the groups separated by
    commas; the gateway replaces the caller's headers of these names.
    """
    headers = {
        "Authorization": f"Bearer {server_key}",
        "X-Auth-Subject": quote(verdict.subject, safe=_SAFE),
        "X-Auth-Groups": _encode_groups(verdict.groups),
        **_ALWAYS,
    }
    return AuthResponse(verdict=verdict, headers=headers)


def with_origin(answer: AuthResponse, origin: str | None, listed: frozenset[str]) -> AuthResponse:
    """Return the response with the caller's Origin if it is listed and the request is allowed.

    The gateway removes the caller's Origin and sets the one in this response: it needs it to add
    Access-Control-Allow-Origin to the server's answer.
    """
    if answer.verdict.status != 200 or origin not in listed:
        return answer
    return dataclasses.replace(answer, headers={**answer.headers, "Origin": origin})


def reject(verdict: AuthVerdict) -> AuthResponse:
    """Return the response for the caller: what is wrong and what to do."""
    headers = {"Content-Type": "application/json", **_ALWAYS}
    if verdict.status == 401:
        headers["WWW-Authenticate"] = _challenge(verdict)
    if verdict.status == 503:
        headers["Retry-After"] = "5"
    error = {
        "message": verdict.message[:MAX_MESSAGE],
        "type": _TYPES.get(verdict.status, "server_error"),
        "param": None,
        "code": verdict.code or verdict.reason,
    }
    body = json.dumps({"error": error}).encode()
    return AuthResponse(verdict=verdict, headers=headers, body=body)


def _challenge(verdict: AuthVerdict) -> str:
    """Return WWW-Authenticate; without a token it has no error (RFC 6750, 3)."""
    challenge = f'Bearer realm="{REALM}"'
    if verdict.reason == "TokenMissing":
        return challenge
    description = _QUOTABLE.sub("?", verdict.message[:MAX_MESSAGE])
    return f'{challenge}, error="invalid_token", error_description="{description}"'


def _encode_groups(groups: Iterable[str]) -> str:
    quoted: list[str] = []
    size = 0
    for group in sorted(groups):
        text = quote(group, safe=_SAFE)
        size += len(text) + 1
        if size > MAX_GROUPS_BYTES:
            break
        quoted.append(text)
    return ",".join(quoted)
