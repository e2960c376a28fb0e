"""Reads the caller's credential from a request (pure).

It is in Authorization (RFC 6750, 2.1), in X-Api-Key, as clients of the Anthropic API send it, or in
the console's cookie; never in the query string or the body.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator
from typing import Final

from roadstead.errors import InvalidToken
from roadstead.forwardauth.forwarded import BadQuestion
from roadstead.tokens.gateway_keys import PROBE_SCHEME
from roadstead.tokens.sessions import COOKIE, Headers, only

API_KEY: Final = "X-Api-Key"
HOW_TO_SEND: Final = f"send it in the header Authorization, as `Bearer TOKEN`, or in {API_KEY}"
"""Advice for messages."""
_TEXT: Final = r"[!-~]+"
_OWN_FETCH: Final = ("same-origin", "empty")
_CREDENTIAL: Final = re.compile(rf"(Bearer|{PROBE_SCHEME}) +({_TEXT})", re.IGNORECASE | re.ASCII)
"""RFC 9110, 11.1 and 11.4: the scheme in any case, then one space or more."""


class Source(enum.Enum):
    """The source of a credential."""

    BEARER = "bearer"
    COOKIE = "cookie"
    PROBE = "probe"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credential:
    """A caller's credential, not verified."""

    source: Source
    text: str = dataclasses.field(repr=False)


def read_credential(headers: Headers) -> Credential | None:
    """Return the request's credential from its headers, else from the cookie, or None.

    Raises BadQuestion if there are several, InvalidToken if one is malformed. Authorization and
    X-Api-Key may have the same token: Claude Code sends the output of `apiKeyHelper` in both.
    """
    bearer, api_key = _read_authorization(headers), _read_api_key(headers)
    if bearer and api_key and bearer != api_key:
        message = f"Authorization and {API_KEY} have different credentials: send one of them"
        raise BadQuestion("CredentialsDiffer", message)
    return bearer or api_key or _read_cookie(headers)


def _read_authorization(headers: Headers) -> Credential | None:
    """Parse the header Authorization, `Bearer TOKEN` with the scheme in any case."""
    value = _read_single(headers, "Authorization")
    if value is None:
        return None
    match = _CREDENTIAL.fullmatch(value)
    if match is None:
        message = (
            "invalid header Authorization: send `Bearer TOKEN`, one token and nothing after it"
        )
        raise InvalidToken(message, reason="AuthorizationInvalid")
    source = Source.BEARER if match[1].lower() == "bearer" else Source.PROBE
    return Credential(source=source, text=match[2])


def _read_api_key(headers: Headers) -> Credential | None:
    value = _read_single(headers, API_KEY)
    if value is None:
        return None
    if not re.fullmatch(_TEXT, value):
        message = f"invalid header {API_KEY}: send the token alone, without a scheme"
        raise InvalidToken(message, reason="ApiKeyInvalid")
    return Credential(source=Source.BEARER, text=value)


def _read_single(headers: Headers, name: str) -> str | None:
    values = headers.getall(name, ())
    if len(values) > 1:
        reason = f"{name.replace('-', '')}Repeated"
        raise BadQuestion(reason, f"the header {name} occurs {len(values)} times: send it once")
    return values[0] if values else None


def is_own_fetch(headers: Headers, *, origin: str) -> bool:
    """Return whether the console's page at `origin` made the request by fetch.

    Only then is its cookie valid: requests for what a browser runs or shows (a page, frame, script,
    worker or image) have another destination. Browsers set both headers, and pages can't
    (https://www.w3.org/TR/fetch-metadata/). With an empty `origin` the result is False.
    """
    origins = headers.getall("Origin", ())
    if not origin or (origins and only(headers, "Origin") != origin):
        return False
    return (only(headers, "Sec-Fetch-Site"), only(headers, "Sec-Fetch-Dest")) == _OWN_FETCH


def _read_cookie(headers: Headers) -> Credential | None:
    found = [value for name, value in _parse_cookies(headers) if name == COOKIE]
    if not found:
        return None
    if len(found) > 1:
        raise BadQuestion("CookieRepeated", f"the cookie {COOKIE} occurs {len(found)} times")
    if not re.fullmatch(_TEXT, found[0]):
        raise InvalidToken(f"the cookie {COOKIE} contains no token", reason="CookieInvalid")
    return Credential(source=Source.COOKIE, text=found[0])


def _parse_cookies(headers: Headers) -> Iterator[tuple[str, str]]:
    for header in headers.getall("Cookie", ()):
        for pair in header.split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            yield name, value
