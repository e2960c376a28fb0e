"""Tokens of an issuer for samples, tests and benchmarks only."""

import datetime
from typing import Any, Final

import jwt

ISSUER: Final = "https://issuer.example.com"
AUDIENCE: Final = "roadstead"
SECRET: Final = b"vJ4mQ0uD8wZs2Xn6Rk1Tf7Yb3Lp9Ch5A"


def make_claims(subject: str, *groups: str, **claims: Any) -> dict[str, Any]:
    """Claims for `groups`, or for `demo-users`, valid for ten minutes."""
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    return {
        "aud": AUDIENCE,
        "sub": subject,
        "groups": list(groups) or ["demo-users"],
        "iat": now,
        "exp": now + 600,
        **claims,
    }


def make_token(subject: str = "alice", *groups: str, **claims: Any) -> str:
    """A token of ISSUER for `groups`, or for `demo-users`, valid for ten minutes."""
    values = make_claims(subject, *groups, iss=ISSUER, **claims)
    return jwt.encode(values, SECRET, algorithm="HS256")
