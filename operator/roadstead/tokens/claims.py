"""The claims of a token, typed."""

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
    """Why a valid token may have fewer groups than its user expects."""

    GROUPS_MISSING = "GroupsMissing"
    """The claim with the groups is missing."""
    GROUPS_ELSEWHERE = "GroupsElsewhere"
    """There are too many groups for a token: Entra ID sends an address instead (an overage).

    Source: Microsoft identity platform, "Group overages": `_claim_names`, or `hasgroups`.
    """
    GROUPS_DROPPED = "GroupsDropped"
    """Some groups are not printable text, or are too long, and were ignored."""

    @property
    def advice(self) -> str:
        """The cause and the remedy, for the user."""
        return _ADVICE[self]


_ADVICE: Final[Mapping[Remark, str]] = {
    Remark.GROUPS_MISSING: "the token has no groups: configure its issuer to add them, or set "
    "tokens.issuers[].groupsClaim to the claim that has them",
    Remark.GROUPS_ELSEWHERE: "the user is in too many groups for a token, so its issuer omitted "
    "all of them: configure it to add only the groups that are assigned to the application, or "
    "application roles",
    Remark.GROUPS_DROPPED: "some of the token's groups are ignored: a group must be printable text "
    f"of 1 to {MAX_GROUP} characters without blanks at its ends",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClaimNames:
    """The names of the claims that Roadstead reads.

    Names of groups and scopes may be paths that are separated by dots: `realm_access.roles`.
    """

    subject: str = "sub"
    groups: str = "groups"
    scopes: str = "scope"
    issued_at_required: bool = True
    """`iat` is optional in RFC 7519; without it, the lifetime counts from now."""


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
    """`jti`, or ""."""
    issued_at: int
    """`iat`; without it `nbf`, or 0: issued before any revocation."""
    expires_at: int
    remarks: tuple[Remark, ...] = ()


def read_claims(claims: Mapping[str, Any], names: ClaimNames = DEFAULT_NAMES) -> Claims:
    """Return the claims that Roadstead uses; raises InvalidToken with the invalid claim."""
    groups, remarks = _read_groups(claims, names.groups)
    return Claims(
        subject=_read_subject(claims, names.subject),
        issuer=_read_text(claims, "iss", reason="TokenIssuer"),
        audience=_read_audience(claims),
        groups=frozenset(groups),
        scopes=frozenset(_read_scopes(claims, names.scopes)),
        token_id=_read_text(claims, "jti", reason="TokenClaims") if "jti" in claims else "",
        issued_at=_read_issued_at(claims, required=names.issued_at_required),
        expires_at=_read_seconds(claims, "exp"),
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
    """Check `exp`, `iat` and `nbf` at `now`, all in seconds; raises InvalidToken.

    RFC 7519, 4.1.4 to 4.1.6; a lifetime (`exp` - `iat`) above `max_lifetime` is refused.
    PyJWT's checks of these claims read the clock themselves, and know no maximum lifetime.
    """
    expires = _read_seconds(claims, "exp")
    issued = _read_seconds(claims, "iat") if issued_at_required or "iat" in claims else now
    starts = max(issued, _read_seconds(claims, "nbf")) if "nbf" in claims else issued
    if now >= expires + leeway:
        message = f"the token expired {now - expires} s ago; get a new one"
        raise InvalidToken(message, reason="TokenExpired")
    if starts > now + leeway:
        message = f"the token is not valid for another {starts - now} s"
        raise InvalidToken(message, reason="TokenNotYetValid")
    if expires <= starts:
        raise _invalid_claim("exp", "is not after iat and nbf")
    if expires - issued > max_lifetime:
        message = f"is {expires - issued} s after iat; at most {max_lifetime} s are allowed"
        raise _invalid_claim("exp", message)


def _read_subject(claims: Mapping[str, Any], name: str) -> str:
    """Return the claim `name`; an email address must be verified by the issuer.

    As in the kube-apiserver, `email_verified` may be missing, but must not be other than true
    (OpenID Connect Core 1.0, 5.1).
    """
    if name == _EMAIL and claims.get(_EMAIL_VERIFIED, True) is not True:
        message = f"the claim {_EMAIL} is the subject, and {_EMAIL_VERIFIED} is not true"
        raise InvalidToken(message, reason="TokenSubject")
    return _read_text(claims, name, reason="TokenSubject")


def _read_text(claims: Mapping[str, Any], name: str, *, reason: str) -> str:
    value = claims.get(name)
    if value is None:
        raise InvalidToken(f"the claim {name} is missing", reason=reason)
    if not is_text(value):
        message = f"the claim {name} is not printable text of 1 to {MAX_TEXT} characters"
        raise InvalidToken(message, reason=reason)
    return str(value)


def is_text(value: object, limit: int = MAX_TEXT) -> bool:
    """Whether it is text that may be written to logs and events unescaped."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= limit
        and value.isprintable()
        and value == value.strip()
    )


def _read_audience(claims: Mapping[str, Any]) -> tuple[str, ...]:
    value = claims.get("aud")
    audience = [value] if isinstance(value, str) else value
    if not isinstance(audience, list) or not audience or not all(map(is_text, audience)):
        message = "the claim aud is missing, or neither text nor a list of texts"
        raise InvalidToken(message, reason="TokenAudience")
    return tuple(audience)


def _read_groups(claims: Mapping[str, Any], name: str) -> tuple[list[str], tuple[Remark, ...]]:
    """Read a list, one string, or an object whose keys are the groups (ZITADEL)."""
    value = _get_claim(claims, name)
    if value is None:
        elsewhere = claims.get("_claim_names")
        named = isinstance(elsewhere, dict) and name in elsewhere
        overage = named or claims.get("hasgroups") is True
        return [], (Remark.GROUPS_ELSEWHERE if overage else Remark.GROUPS_MISSING,)
    if isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
        value = list(value)
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise _invalid_claim(name, "is neither text nor a list of texts")
    groups = [each for each in entries if is_text(each, MAX_GROUP)]
    dropped = [each for each in entries if each != "" and each not in groups]
    return groups, (Remark.GROUPS_DROPPED,) if dropped else ()


def _read_scopes(claims: Mapping[str, Any], name: str) -> list[str]:
    """Read a list, or a string that is separated by spaces (RFC 6749, 3.3)."""
    value = _get_claim(claims, name)
    entries = value.split() if isinstance(value, str) else value
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise _invalid_claim(name, "is neither text nor a list of texts")
    return [each for each in entries if is_text(each)]


def _get_claim(value: object, path: str) -> object:
    """Return the claim with that name or path: names may contain dots."""
    if not isinstance(value, dict):
        return None
    if path in value:
        return value[path]
    for at in (at for at, character in enumerate(path) if character == "."):
        if (found := _get_claim(value.get(path[:at]), path[at + 1 :])) is not None:
            return found
    return None


def _read_issued_at(claims: Mapping[str, Any], *, required: bool) -> int:
    if required or "iat" in claims:
        return _read_seconds(claims, "iat")
    return _read_seconds(claims, "nbf") if "nbf" in claims else 0


def _read_seconds(claims: Mapping[str, Any], name: str) -> int:
    """Read a NumericDate (RFC 7519, 2), which may have a fraction."""
    value = claims.get(name)
    if value is None:
        raise _invalid_claim(name, "is missing")
    # isinstance(True, int) is true.
    if type(value) not in (int, float) or not 0 <= value < _MAX_SECONDS:
        raise _invalid_claim(name, "is not a number of seconds since 1970")
    return int(value)


def _invalid_claim(name: str, message: str) -> InvalidToken:
    return InvalidToken(f"the claim {name} {message}", reason="TokenClaims")
