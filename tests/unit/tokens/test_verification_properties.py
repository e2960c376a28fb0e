"""Any input yields InvalidToken or claims that the key has signed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from roadstead.errors import InvalidToken
from roadstead.tokens.claims import Claims
from roadstead.tokens.verification import TokenVerifier
from tests.support.builders.tokens import (
    ALGORITHMS,
    ISSUER,
    NOW,
    claims,
    encoded,
    key_of,
    private_key,
    signed,
    signed_bytes,
    verifier,
)

VERIFIERS = {algorithm: verifier(key_of(private_key(algorithm))) for algorithm in ALGORITHMS}
GOOD = {algorithm: signed(claims(), algorithm=algorithm) for algorithm in ALGORITHMS}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from([ISSUER, "roadstead", "HS256", "RS256", "EdDSA", "none", "JWT", NOW]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
HEADERS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("alg", "kid", "typ", "crit", "b64", "jwk", "x5c"), JSON)
)
NAMES = ("iss", "aud", "sub", "exp", "iat", "nbf", "jti", "groups", "scope", "x")
CLAIMS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON))


def verify(checking: TokenVerifier, token: str) -> Claims | None:
    """Return the claims, or None for a refused token; any other error fails the test."""
    try:
        return checking.verify(token, now=NOW)
    except InvalidToken:
        return None


@given(token=st.text())
def test_any_text_is_refused(token: str) -> None:
    assert verify(VERIFIERS["HS256"], token) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(header=HEADERS, values=CLAIMS, signature=st.binary(max_size=300))
def test_unsigned_token_is_refused(
    algorithm: str, header: dict[str, Any], values: dict[str, Any], signature: bytes
) -> None:
    stated = {"alg": algorithm, **header}
    parts = [json.dumps(stated).encode(), json.dumps(claims() | values).encode(), signature]
    token = b".".join(encoded(part) for part in parts).decode()
    assert verify(VERIFIERS[algorithm], token) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(data=st.data())
def test_token_with_any_character_changed_is_refused(algorithm: str, data: st.DataObject) -> None:
    good = GOOD[algorithm]
    place = data.draw(st.integers(0, len(good) - 1))
    character = data.draw(st.characters(exclude_characters=good[place]))
    assert verify(VERIFIERS[algorithm], good[:place] + character + good[place + 1 :]) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(other=st.sampled_from(ALGORITHMS), name=st.sampled_from(["second", "third"]))
def test_token_that_is_signed_with_another_key_is_refused(
    algorithm: str, other: str, name: str
) -> None:
    token = signed(claims(), algorithm=other, private=private_key(other, name))
    assert verify(VERIFIERS[algorithm], token) is None


@given(header=HEADERS, values=CLAIMS)
@example(header={}, values={})
def test_signed_random_json_is_refused_or_read_unchanged(
    header: dict[str, Any], values: dict[str, Any]
) -> None:
    stated = claims() | values
    payload = json.dumps(stated).encode()
    result = verify(
        VERIFIERS["HS256"], signed_bytes(json.dumps({"alg": "HS256"} | header).encode(), payload)
    )
    if result is not None:
        assert (result.subject, result.issuer) == (stated["sub"], ISSUER)
        assert "roadstead" in result.audience
        assert result.expires_at == stated["exp"] > NOW - 30
        assert result.expires_at - result.issued_at <= 3600


@given(header=st.binary(max_size=200), payload=st.binary(max_size=200))
def test_signed_bytes_are_refused(header: bytes, payload: bytes) -> None:
    assert verify(VERIFIERS["HS256"], signed_bytes(header, payload)) is None


@given(offset=st.integers(-10_000, 10_000))
def test_token_is_valid_from_iat_to_exp_with_leeway(offset: int) -> None:
    now = NOW + offset
    try:
        VERIFIERS["HS256"].verify(GOOD["HS256"], now=now)
        is_valid = True
    except InvalidToken:
        is_valid = False
    assert is_valid == (NOW - 60 - 30 <= now < NOW + 540 + 30)
