"""What a token says of its holder, typed."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Final

from roadstead.errors import InvalidToken

MAX_TEXT: Final = 256
MAX_GROUP: Final = 512
"""Groups may be distinguished names of LDAP."""
_MAX_SECONDS: Final = 2**53
_EMAIL: Final = "email"
_EMAIL_VERIFIED: Final = "email_verified"


class Remark(enum.StrEnum):
    """Why a token that is valid may have fewer groups than its holder expects."""

    GROUPS_MISSING = "GroupsMissing"
    """The claim with the groups is not there."""
    GROUPS_ELSEWHERE = "GroupsElsewhere"
    """There are too many for a token: Entra ID names an address instead (an overage).

    Source: Microsoft identity platform, "Group overages": `_claim_names`, or `hasgroups`.
    """
    GROUPS_DROPPED = "GroupsDropped"
    """Some are no printable text, or too long, and don't count."""

    @property
    def advice(self) -> str:
        """For the holder: what it is, and what to have changed."""
        return _ADVICE[self]


_ADVICE: Final[Mapping[Remark, str]] = {
    Remark.GROUPS_MISSING: "the token has no groups: have its issuer write them, or name the claim "
    "that has them in tokens.issuers[].groupsClaim",
    Remark.GROUPS_ELSEWHERE: "the token's holder is in too many groups for a token, so its issuer "
    "left all of them out: have it write only the groups that are assigned to the application, or "
    "application roles",
    Remark.GROUPS_DROPPED: "some of the token's groups don't count: a group is printable text of "
    f"1 to {MAX_GROUP} characters without blanks at its ends",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClaimNames:
    """Where an issuer writes what Roadstead reads.

    Names of groups and scopes may be paths, with dots between: `realm_access.roles`.
    """

    subject: str = "sub"
    groups: str = "groups"
    scopes: str = "scope"
    issued_at_required: bool = True
    """RFC 7519 leaves `iat` to the issuer; without it the lifetime counts from now."""


DEFAULT_NAMES: Final = ClaimNames()


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
    """`iat`; without it `nbf`, or 0: issued before anything that was revoked."""
    expires_at: int
    remarks: tuple[Remark, ...] = ()


def read_claims(claims: Mapping[str, Any], names: ClaimNames = DEFAULT_NAMES) -> Claims:
    """The claims that Roadstead uses, with their types; InvalidToken names the one at fault."""
    groups, remarks = _groups(claims, names.groups)
    return Claims(
        subject=_subject(claims, names.subject),
        issuer=_text(claims, "iss", reason="TokenIssuer"),
        audience=_audience(claims),
        groups=frozenset(groups),
        scopes=frozenset(_scopes(claims, names.scopes)),
        token_id=_text(claims, "jti", reason="TokenClaims") if "jti" in claims else "",
        issued_at=_issued_at(claims, required=names.issued_at_required),
        expires_at=_seconds(claims, "exp"),
        remarks=remarks,
    )


def check_times(
    claims: Mapping[str, Any],
    *,
    now: int,
    leeway: int,
    max_lifetime: int,
    issued_at_required: bool = True,
) -> None:
    """`exp`, `iat` and `nbf` against `now`, all in seconds; InvalidToken if the token is not valid.

    RFC 7519, 4.1.4 to 4.1.6; a lifetime (`exp` - `iat`) above `max_lifetime` is refused.
    """
    expires = _seconds(claims, "exp")
    issued = _seconds(claims, "iat") if issued_at_required or "iat" in claims else now
    starts = max(issued, _seconds(claims, "nbf")) if "nbf" in claims else issued
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


def _subject(claims: Mapping[str, Any], name: str) -> str:
    """What `name` holds; an address that its holder has only claimed to have is nobody's name.

    As the kube-apiserver has it: `email_verified` may be missing, but not be other than true
    (OpenID Connect Core 1.0, 5.1).
    """
    if name == _EMAIL and claims.get(_EMAIL_VERIFIED, True) is not True:
        message = f"the claim {_EMAIL} is the subject, and {_EMAIL_VERIFIED} is not true"
        raise InvalidToken(message, reason="TokenSubject")
    return _text(claims, name, reason="TokenSubject")


def _text(claims: Mapping[str, Any], name: str, *, reason: str) -> str:
    value = claims.get(name)
    if value is None:
        raise InvalidToken(f"the claim {name} is missing", reason=reason)
    if not _is_text(value):
        message = f"the claim {name} is not printable text of 1 to {MAX_TEXT} characters"
        raise InvalidToken(message, reason=reason)
    return str(value)


def _is_text(value: object, limit: int = MAX_TEXT) -> bool:
    """Text that can stand in a log line or an event as it is."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= limit
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


def _groups(claims: Mapping[str, Any], name: str) -> tuple[list[str], tuple[Remark, ...]]:
    """A list, one string, or an object whose keys they are, each with an object (ZITADEL)."""
    value = _found(claims, name)
    if value is None:
        elsewhere = claims.get("_claim_names")
        named = isinstance(elsewhere, dict) and name in elsewhere
        overage = named or claims.get("hasgroups") is True
        return [], (Remark.GROUPS_ELSEWHERE if overage else Remark.GROUPS_MISSING,)
    if isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
        value = list(value)
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise _fault(name, "is neither text nor a list of it")
    groups = [each for each in entries if _is_text(each, MAX_GROUP)]
    dropped = [each for each in entries if each != "" and each not in groups]
    return groups, (Remark.GROUPS_DROPPED,) if dropped else ()


def _scopes(claims: Mapping[str, Any], name: str) -> list[str]:
    """A list, or a string of several with spaces between (RFC 6749, 3.3)."""
    value = _found(claims, name)
    entries = value.split() if isinstance(value, str) else value
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise _fault(name, "is neither text nor a list of it")
    return [each for each in entries if _is_text(each)]


def _found(value: object, path: str) -> object:
    """What has that name, or stands at that path: names may have dots of their own."""
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    for at in (at for at, character in enumerate(path) if character == "."):
        if (found := _found(value.get(path[:at]), path[at + 1 :])) is not None:
            return found
    return None


def _issued_at(claims: Mapping[str, Any], *, required: bool) -> int:
    if required or "iat" in claims:
        return _seconds(claims, "iat")
    return _seconds(claims, "nbf") if "nbf" in claims else 0


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    """A NumericDate (RFC 7519, 2), which may have a fraction."""
    value = claims.get(name)
    if value is None:
        raise _fault(name, "is missing")
    # True is an int to isinstance.
    if type(value) not in (int, float) or not 0 <= value < _MAX_SECONDS:
        raise _fault(name, "is not a number of seconds since 1970")
    return int(value)


def _fault(name: str, message: str) -> InvalidToken:
    return InvalidToken(f"the claim {name} {message}", reason="TokenClaims")
