"""Verdicts as the gateway and the caller get them: status, headers, JSON (pure).

The body has the form of the OpenAI API's errors, so that its clients show the message.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from roadstead_webhooks.forwardauth.verdict import AuthVerdict

REALM: Final = "roadstead"
SERVER: Final = "roadstead"
"""Of the header Server, which the gateway passes on where it refuses."""
MAX_MESSAGE: Final = 300
"""In characters: the gateway takes an answer above its maxResponseBodySize for a failure."""
MAX_GROUPS_BYTES: Final = 4096
"""Of X-Auth-Groups: whole groups are left out beyond it, since servers bound their headers."""
_SAFE: Final = "!#$&'*+-.^_`|~@/:="
"""What stands in a subject or group as it is; all else, commas included, is percent-encoded."""
_QUOTABLE: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
"""What RFC 6750, 3 does not let stand in error_description."""
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
    """What is sent for a verdict."""

    verdict: AuthVerdict
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    body: bytes = b""


def passed(verdict: AuthVerdict, server_key: str) -> AuthResponse:
    """For the gateway: the server's key in place of the caller's token, and who the caller is.

    X-Auth-Subject and X-Auth-Groups are always both there, percent-encoded, the groups with commas
    between; the gateway replaces what the caller sent under these names.
    """
    headers = {
        "Authorization": f"Bearer {server_key}",
        "X-Auth-Subject": quote(verdict.subject, safe=_SAFE),
        "X-Auth-Groups": _groups(verdict.groups),
        **_ALWAYS,
    }
    return AuthResponse(verdict=verdict, headers=headers)


def with_origin(answer: AuthResponse, origin: str | None, listed: frozenset[str]) -> AuthResponse:
    """The same, with the caller's Origin where it is listed and the request passes.

    The gateway removes what callers send as Origin, and sets it from here: it has to know it when
    it adds Access-Control-Allow-Origin to the server's answer.
    """
    if answer.verdict.status != 200 or origin not in listed:
        return answer
    return dataclasses.replace(answer, headers={**answer.headers, "Origin": origin})


def refused(verdict: AuthVerdict) -> AuthResponse:
    """For the caller: what is wrong and what to do."""
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
    """RFC 6750, 3: no error is named to whoever showed no token."""
    challenge = f'Bearer realm="{REALM}"'
    if verdict.reason == "TokenMissing":
        return challenge
    description = _QUOTABLE.sub("?", verdict.message[:MAX_MESSAGE])
    return f'{challenge}, error="invalid_token", error_description="{description}"'


def _groups(groups: Iterable[str]) -> str:
    taken: list[str] = []
    size = 0
    for group in sorted(groups):
        text = quote(group, safe=_SAFE)
        size += len(text) + 1
        if size > MAX_GROUPS_BYTES:
            break
        taken.append(text)
    return ",".join(taken)
