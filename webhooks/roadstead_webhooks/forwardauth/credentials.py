"""Where a caller's token stands in a request, and whether it may stand there (pure).

RFC 6750, 2.1, the header X-Api-Key as clients of the Anthropic API send it, and the console's
cookie; never the query string or the body.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator
from typing import Final

from roadstead.errors import InvalidToken
from roadstead.tokens.gateway_keys import PROBE_SCHEME
from roadstead.tokens.sessions import COOKIE, Headers, only
from roadstead_webhooks.forwardauth.forwarded import BadQuestion

API_KEY: Final = "X-Api-Key"
HOW_TO_SEND: Final = f"send it in the header Authorization, as `Bearer TOKEN`, or in {API_KEY}"
"""A token, for messages."""
_TEXT: Final = r"[!-~]+"
_OWN_FETCH: Final = ("same-origin", "empty")
_CREDENTIAL: Final = re.compile(rf"(Bearer|{PROBE_SCHEME}) +({_TEXT})", re.IGNORECASE | re.ASCII)
"""RFC 9110, 11.1 and 11.4: the scheme in any case, then one space or more."""


class Source(enum.Enum):
    """How a credential came."""

    BEARER = "bearer"
    COOKIE = "cookie"
    PROBE = "probe"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Credential:
    """What the caller shows, nothing of it verified."""

    source: Source
    text: str = dataclasses.field(repr=False)


def read_credential(headers: Headers) -> Credential | None:
    """The one credential of a request: the headers', or the cookie's where there is no header.

    None without any. BadQuestion where there are several, InvalidToken where one has an odd shape.
    Authorization and X-Api-Key may both be there with the same token: Claude Code sends what its
    `apiKeyHelper` prints in both.
    """
    bearer, api_key = _authorization(headers), _api_key(headers)
    if bearer and api_key and bearer != api_key:
        message = f"Authorization and {API_KEY} hold different credentials: send one of them"
        raise BadQuestion("CredentialsDiffer", message)
    return bearer or api_key or _cookie(headers)


def _authorization(headers: Headers) -> Credential | None:
    """`Bearer TOKEN`, the scheme in any case, is the only shape that a caller's may have."""
    value = _single(headers, "Authorization")
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


def _api_key(headers: Headers) -> Credential | None:
    value = _single(headers, API_KEY)
    if value is None:
        return None
    if not re.fullmatch(_TEXT, value):
        message = f"invalid header {API_KEY}: send the token alone, without a scheme"
        raise InvalidToken(message, reason="ApiKeyInvalid")
    return Credential(source=Source.BEARER, text=value)


def _single(headers: Headers, name: str) -> str | None:
    values = headers.getall(name, ())
    if len(values) > 1:
        reason = f"{name.replace('-', '')}Repeated"
        raise BadQuestion(reason, f"the header {name} is there twice: send it once")
    return values[0] if values else None


def is_own_fetch(headers: Headers, *, origin: str) -> bool:
    """Whether the console's page at `origin` made the request by fetch: then its cookie counts.

    What a browser would run or show (a page, frame, script, worker or image) has another
    destination, so a session never brings a server's answer to life. Browsers set both headers and
    no page can (https://www.w3.org/TR/fetch-metadata/). No request counts for an empty `origin`.
    """
    said = headers.getall("Origin", ())
    if not origin or (said and only(headers, "Origin") != origin):
        return False
    return (only(headers, "Sec-Fetch-Site"), only(headers, "Sec-Fetch-Dest")) == _OWN_FETCH


def _cookie(headers: Headers) -> Credential | None:
    found = [value for name, value in _cookies(headers) if name == COOKIE]
    if not found:
        return None
    if len(found) > 1:
        raise BadQuestion("CookieRepeated", f"the cookie {COOKIE} is there twice")
    if not re.fullmatch(_TEXT, found[0]):
        raise InvalidToken(f"the cookie {COOKIE} holds no token", reason="CookieInvalid")
    return Credential(source=Source.COOKIE, text=found[0])


def _cookies(headers: Headers) -> Iterator[tuple[str, str]]:
    for header in headers.getall("Cookie", ()):
        for pair in header.split(";"):
            name, _, value = pair.strip(" \t").partition("=")
            yield name, value
