"""Tokens: JSON Web Tokens signed with HS256, as RFC 8725 advises.

The algorithm comes from the key, never from the token. `exp`, `iat`, `aud`, `iss` and `sub` are
required, and a token that claims to live longer than `max_lifetime` is refused.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final

import jwt

from roadstead.errors import InvalidToken

ALGORITHM: Final = "HS256"
MIN_KEY_BYTES: Final = 32
"""RFC 7518, 3.2: a key of the hash's size at least."""
REQUIRED: Final = ("exp", "iat", "aud", "iss", "sub")
LEEWAY_SECONDS: Final = 30


def issue(
    key: bytes,
    *,
    subject: str,
    audience: str,
    issuer: str,
    lifetime: datetime.timedelta,
    now: datetime.datetime,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """A token that says `claims` of `subject`; raises InvalidToken for a key that is too short."""
    _check_key(key)
    registered = {
        "sub": subject,
        "aud": audience,
        "iss": issuer,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    return jwt.encode({**(claims or {}), **registered}, key, algorithm=ALGORITHM)


def verify(
    token: str,
    key: bytes,
    *,
    audience: str,
    issuer: str,
    now: datetime.datetime,
    max_lifetime: datetime.timedelta,
) -> dict[str, Any]:
    """The claims of a token that holds at `now`; raises InvalidToken, which never quotes it."""
    _check_key(key)
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            # The clock is ours (`now`), so PyJWT, which reads its own, checks no times.
            options={
                "require": list(REQUIRED),
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.PyJWTError as error:
        raise InvalidToken(_why(error)) from None
    _check_times(claims, now=int(now.timestamp()), max_lifetime=max_lifetime)
    return claims


def _check_key(key: bytes) -> None:
    if len(key) < MIN_KEY_BYTES:
        raise InvalidToken(f"the key has {len(key)} bytes; HS256 needs {MIN_KEY_BYTES} at least")


def _check_times(claims: Mapping[str, Any], *, now: int, max_lifetime: datetime.timedelta) -> None:
    times = {name: claims[name] for name in ("exp", "iat", "nbf") if name in claims}
    for name, value in times.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise InvalidToken(f"{name} is not a whole number of seconds")
    if now >= times["exp"] + LEEWAY_SECONDS:
        raise InvalidToken("the token has expired")
    if max(times["iat"], times.get("nbf", 0)) > now + LEEWAY_SECONDS:
        raise InvalidToken("the token is not valid yet")
    if times["exp"] - times["iat"] > max_lifetime.total_seconds():
        raise InvalidToken(f"the token lives longer than {int(max_lifetime.total_seconds())} s")


def _why(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.MissingRequiredClaimError():
            return f"the claim {error.claim} is missing"
        case jwt.InvalidAudienceError():
            return "the token is for another audience"
        case jwt.InvalidIssuerError():
            return "the token is from another issuer"
        case jwt.InvalidSignatureError():
            return "the signature does not match"
        case jwt.InvalidAlgorithmError():
            return f"the token is not signed with {ALGORITHM}"
    return "the token can't be read"
