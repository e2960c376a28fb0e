"""What a token says of its holder, typed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from roadstead.errors import InvalidToken

MAX_TEXT: Final = 256
_MAX_SECONDS: Final = 2**53


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claims:
    """The verified claims of a caller's token; times are seconds since 1970."""

    subject: str
    issuer: str
    audience: tuple[str, ...]
    groups: frozenset[str]
    scopes: frozenset[str]
    token_id: str
    """`jti`, or empty."""
    issued_at: int
    expires_at: int


def read_claims(
    claims: Mapping[str, Any], *, groups_claim: str = "groups", scopes_claim: str = "scope"
) -> Claims:
    """The claims that Roadstead uses, with their types; InvalidToken names the one at fault."""
    return Claims(
        subject=_text(claims, "sub", reason="TokenSubject"),
        issuer=_text(claims, "iss", reason="TokenIssuer"),
        audience=_audience(claims),
        groups=frozenset(_texts(claims, groups_claim, separate=False)),
        scopes=frozenset(_texts(claims, scopes_claim, separate=True)),
        token_id=_text(claims, "jti", reason="TokenClaims") if "jti" in claims else "",
        issued_at=_seconds(claims, "iat"),
        expires_at=_seconds(claims, "exp"),
    )


def check_times(claims: Mapping[str, Any], *, now: int, leeway: int, max_lifetime: int) -> None:
    """`exp`, `iat` and `nbf` against `now`, all in seconds; InvalidToken if the token is not valid.

    RFC 7519, 4.1.4 to 4.1.6; a lifetime (`exp` - `iat`) above `max_lifetime` is refused.
    """
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    starts = max(issued, _seconds(claims, "nbf") if "nbf" in claims else issued)
    if now >= expires + leeway:
        message = f"the token expired {now - expires} s ago; get a new one"
        raise InvalidToken(message, reason="TokenExpired")
    if starts > now + leeway:
        message = f"the token is not valid for another {starts - now} s"
        raise InvalidToken(message, reason="TokenNotYetValid")
    if expires <= starts:
        raise _fault("exp", "is not after iat and nbf")
    if expires - issued > max_lifetime:
        message = f"is {expires - issued} s after iat; {max_lifetime} s are the most"
        raise _fault("exp", message)


def _text(claims: Mapping[str, Any], name: str, *, reason: str) -> str:
    value = claims.get(name)
    if value is None:
        raise InvalidToken(f"the claim {name} is missing", reason=reason)
    if not _is_text(value):
        message = f"the claim {name} is not printable text of 1 to {MAX_TEXT} characters"
        raise InvalidToken(message, reason=reason)
    return str(value)


def _is_text(value: object) -> bool:
    """Text that can stand in a log line or an event as it is."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= MAX_TEXT
        and value.isprintable()
        and value == value.strip()
    )


def _audience(claims: Mapping[str, Any]) -> tuple[str, ...]:
    value = claims.get("aud")
    audience = [value] if isinstance(value, str) else value
    if not isinstance(audience, list) or not audience or not all(map(_is_text, audience)):
        message = "the claim aud is missing, or neither text nor a list of it"
        raise InvalidToken(message, reason="TokenAudience")
    return tuple(audience)


def _texts(claims: Mapping[str, Any], name: str, *, separate: bool) -> list[str]:
    """A list, or a string: of one entry, or of several with spaces between (RFC 6749, 3.3)."""
    value = claims.get(name)
    if value is None or value == "":
        return []
    if isinstance(value, str):
        value = value.split(" ") if separate else [value]
    if not isinstance(value, list) or not all(map(_is_text, value)):
        raise _fault(name, "is neither text nor a list of it")
    return value


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if value is None:
        raise _fault(name, "is missing")
    # True is an int to isinstance; NumericDate also allows fractions, which no issuer needs.
    if type(value) is not int or not 0 <= value < _MAX_SECONDS:
        raise _fault(name, "is not a whole number of seconds since 1970")
    return value


def _fault(name: str, message: str) -> InvalidToken:
    return InvalidToken(f"the claim {name} {message}", reason="TokenClaims")
