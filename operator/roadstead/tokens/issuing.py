"""Issues tokens, for users and for Roadstead's own services."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import jwt

from roadstead.tokens.keys import Algorithm, secret_key


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
    """Return an HS256 token with these claims; raises InvalidKey if the secret is too short."""
    registered = {
        "sub": subject,
        "aud": audience,
        "iss": issuer,
        "iat": int(now.timestamp()),
        "exp": int((now + lifetime).timestamp()),
    }
    secret = secret_key(key).material
    return jwt.encode({**(claims or {}), **registered}, secret, algorithm=Algorithm.HS256)
