"""Sign-in at an OpenID provider: requests and validation of responses."""

from __future__ import annotations

import base64
import dataclasses
import json
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.console.auth.authorization import (
    LoginAttempt,
    authorization_url,
    check_nonce,
    code_of,
)
from roadstead.errors import InvalidToken

ISSUER = "https://id.example.com"
ATTEMPT = LoginAttempt(state="s", nonce="n", verifier="dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
                  target="/servers")  # fmt: skip


def test_challenge_matches_rfc_7636() -> None:
    assert ATTEMPT.challenge() == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_attempt_is_restored_from_its_cookie() -> None:
    attempt = LoginAttempt.begin("/models?q=a b")
    assert LoginAttempt.read(attempt.cookie()) == attempt


@given(st.text(max_size=60))
def test_arbitrary_cookie_never_raises(text: str) -> None:
    LoginAttempt.read(text)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("[" * 5000, id="nested too deep"),
        pytest.param(json.dumps({**vars(ATTEMPT), "state": "\ud800"}), id="not Unicode"),
        pytest.param(json.dumps({**vars(ATTEMPT), "verifier": "\u00e4"}), id="not ASCII"),
    ],
)
def test_cookie_with_content_of_another_form_is_no_attempt(content: str) -> None:
    assert LoginAttempt.read(base64.urlsafe_b64encode(content.encode()).decode()) is None


def test_authorization_url_has_state_nonce_and_challenge() -> None:
    url = authorization_url(
        f"{ISSUER}/auth?tenant=a", ATTEMPT, client="c", redirect="https://x/cb", scopes="openid"
    )
    query = parse_qs(urlsplit(url).query)
    assert query["tenant"] == ["a"]
    assert (query["state"], query["nonce"]) == (["s"], ["n"])
    assert query["code_challenge_method"] == ["S256"]
    assert ATTEMPT.verifier not in url


def test_code_of_this_sign_in_is_accepted() -> None:
    assert code_of({"state": "s", "code": "x", "iss": ISSUER}, ATTEMPT, issuer=ISSUER) == "x"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"code": "x"}, "SignInState"),
        ({"code": "x", "state": "other"}, "SignInState"),
        ({"code": "x", "state": "s", "iss": "https://evil.example"}, "SignInIssuer"),
        ({"error": "access_denied", "state": "s"}, "SignInRefused"),
        ({"state": "s"}, "SignInRefused"),
        ({"state": "é", "code": "x"}, "SignInState"),
    ],
)
def test_other_responses_are_refused(query: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidToken) as caught:
        code_of(query, ATTEMPT, issuer=ISSUER)
    assert caught.value.reason == reason


@pytest.mark.parametrize("nonce", ["other", "", 1, None])
def test_token_of_another_sign_in_is_refused(nonce: object) -> None:
    token = jwt.encode({"nonce": nonce}, "k" * 32, algorithm="HS256")
    with pytest.raises(InvalidToken):
        check_nonce(token, ATTEMPT)


def test_repr_contains_no_secrets() -> None:
    assert ATTEMPT.verifier not in repr(ATTEMPT)
    assert dataclasses.replace(ATTEMPT, nonce="hidden-nonce").nonce not in repr(ATTEMPT)
