"""Serialized responses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadstead.forwardauth.auth_responses import MAX_GROUPS_BYTES, allow, reject
from roadstead.forwardauth.verdict import AuthVerdict

PRINTABLE = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
TEXT = st.text(PRINTABLE, min_size=1, max_size=256)


def allowed(subject: str = "alice", *groups: str) -> AuthVerdict:
    """Return a verdict that allows the request."""
    return AuthVerdict(status=200, reason="Allowed", subject=subject, groups=frozenset(groups))


def test_both_identity_headers_are_set_for_a_caller_without_groups() -> None:
    headers = allow(allowed(), "key").headers
    assert (headers["X-Auth-Subject"], headers["X-Auth-Groups"]) == ("alice", "")


def test_comma_in_a_group_is_encoded() -> None:
    assert allow(allowed("a", "x,admins"), "key").headers["X-Auth-Groups"] == "x%2Cadmins"


@given(TEXT, st.lists(TEXT, max_size=5))
def test_any_claims_are_encoded_as_valid_headers(subject: str, groups: list[str]) -> None:
    headers = allow(allowed(subject, *groups), "key").headers
    for value in headers.values():
        assert value.isascii()
        assert value.isprintable()


def test_groups_beyond_the_limit_are_omitted() -> None:
    names = [f"group-{number:04}" for number in range(1000)]
    taken = allow(allowed("a", *names), "key").headers["X-Auth-Groups"]
    assert len(taken) <= MAX_GROUPS_BYTES
    assert set(taken.split(",")) < set(names)


@given(st.text())
def test_challenge_is_a_valid_header_with_any_message(message: str) -> None:
    answer = reject(AuthVerdict(status=401, reason="TokenClaims", message=message))
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.isascii()
    assert challenge.isprintable()
    assert challenge.count('"') == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 503])
def test_rejections_are_json_and_not_cached(status: int) -> None:
    answer = reject(AuthVerdict(status=status, reason="Why", message="what to do"))
    assert json.loads(answer.body)["error"]["message"] == "what to do"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


def test_rejection_does_not_quote_the_caller() -> None:
    verdict = AuthVerdict(status=403, reason="NotAuthorized", code="AccessDenied", message="no",
                      subject="alice", server="demo/gemma")  # fmt: skip
    answer = reject(verdict)
    assert b"demo" not in answer.body
    assert b"NotAuthorized" not in answer.body


@given(st.text(max_size=5000))
def test_rejection_is_smaller_than_the_gateways_limit(message: str) -> None:
    answer = reject(AuthVerdict(status=403, reason="ContractInvalid", message=message))
    assert len(answer.body) <= 4096


def test_answers_do_not_name_the_server_software() -> None:
    for answer in (allow(allowed(), "key"), reject(AuthVerdict(status=403, reason="Why"))):
        assert answer.headers["Server"] == "roadstead"
