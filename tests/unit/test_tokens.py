"""Tokens, as RFC 8725 advises."""

import datetime
from typing import Any

import jwt
import pytest

from roadstead import tokens
from roadstead.errors import InvalidToken

KEY = b"k" * 32
NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


def issued(**more: Any) -> str:
    """A token that holds, but for what is changed."""
    values: dict[str, Any] = {
        "subject": "me",
        "audience": "them",
        "issuer": "us",
        "lifetime": MINUTE,
        "now": NOW,
    }
    return tokens.issue(KEY, **{**values, **more})


def verified(token: str, key: bytes = KEY) -> dict[str, Any]:
    """Its claims."""
    return tokens.verify(
        token, key, audience="them", issuer="us", now=NOW, max_lifetime=datetime.timedelta(hours=1)
    )


def test_claims_survive() -> None:
    claims = verified(issued(claims={"scope": "read"}))
    assert (claims["sub"], claims["scope"]) == ("me", "read")


def test_registered_claims_are_not_the_caller_s_to_set() -> None:
    assert verified(issued(claims={"sub": "root"}))["sub"] == "me"


@pytest.mark.parametrize(
    ("token", "why"),
    [
        pytest.param(issued(now=NOW - 2 * MINUTE), "expired", id="expired"),
        pytest.param(issued(now=NOW + 2 * MINUTE), "not valid yet", id="early"),
        pytest.param(issued(lifetime=datetime.timedelta(days=1)), "lives longer", id="long-lived"),
        pytest.param(issued(audience="others"), "audience", id="audience"),
        pytest.param(issued(issuer="others"), "issuer", id="issuer"),
        pytest.param("not.a.token", "can't be read", id="noise"),
        pytest.param(
            jwt.encode({"sub": "me", "aud": "them", "iss": "us"}, KEY, "HS256"),
            "exp is missing",
            id="no-expiry",
        ),
        pytest.param(
            jwt.encode({"sub": "me"}, KEY * 2, "HS512"), "not signed with", id="other-algorithm"
        ),
        pytest.param(jwt.encode({"sub": "me"}, "", "none"), "not signed with", id="unsigned"),
    ],
)
def test_token_that_does_not_hold_is_refused(token: str, why: str) -> None:
    with pytest.raises(InvalidToken, match=why) as caught:
        verified(token)
    assert token not in str(caught.value)


def test_token_of_another_key_is_refused() -> None:
    with pytest.raises(InvalidToken, match="signature"):
        verified(issued(), b"x" * 32)


def test_short_key_is_refused() -> None:
    with pytest.raises(InvalidToken, match="32"):
        tokens.issue(b"short", subject="a", audience="b", issuer="c", lifetime=MINUTE, now=NOW)
