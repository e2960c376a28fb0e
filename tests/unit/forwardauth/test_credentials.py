"""Where a token is read from in a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from roadstead.errors import InvalidToken
from roadstead.forwardauth.credentials import Source, read_credential
from roadstead.forwardauth.forwarded import BadQuestion
from tests.unit.forwardauth.questions import Pairs

COOKIE = "__Host-roadstead-session"


def read(*headers: tuple[str, str]) -> tuple[Source, str] | None:
    """Return the credential of a request with these headers."""
    found = read_credential(CIMultiDict(headers))
    return (found.source, found.text) if found else None


def test_token_is_read_from_the_header() -> None:
    assert read(("authorization", "Bearer a.b.c")) == (Source.BEARER, "a.b.c")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_scheme_is_read_in_any_case(scheme: str) -> None:
    assert read(("Authorization", f"{scheme} a.b.c")) == (Source.BEARER, "a.b.c")


@pytest.mark.parametrize("scheme", ["Roadstead-Probe", "roadstead-probe"])
def test_probe_is_distinguished_from_a_token_by_its_scheme_in_any_case(scheme: str) -> None:
    assert read(("Authorization", f"{scheme} a.b")) == (Source.PROBE, "a.b")


def test_spaces_between_scheme_and_token_may_be_several() -> None:
    assert read(("Authorization", "Bearer   a.b.c")) == (Source.BEARER, "a.b.c")


def test_token_keeps_its_case() -> None:
    assert read(("Authorization", "bearer A.b.C")) == (Source.BEARER, "A.b.C")


def test_token_is_read_from_the_consoles_cookie() -> None:
    assert read(("Cookie", f"x=y;{COOKIE}=a.b.c ; z")) == (Source.COOKIE, "a.b.c")


def test_request_without_a_credential_has_none() -> None:
    assert read(("Cookie", "session=a.b.c"), ("X-Authorization", "Bearer a.b.c")) is None


def test_header_has_precedence_over_the_cookie() -> None:
    found = read(("Cookie", f"{COOKIE}=a.b.c"), ("Authorization", "Bearer d.e.f"))
    assert found == (Source.BEARER, "d.e.f")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer a.b.c d.e.f",
        "Bearer a.b.c, Bearer d.e.f",
        "Bearer\ta.b.c",
        " Bearer a.b.c",
        "Bearer a.b.c ",
        "bearer\ta.b.c",
        "Bearer \u00a0a.b.c",
        "Bearer \u2003a.b.c",
        "\uff22earer a.b.c",
        "Bearera.b.c",
        "Basic YTpi",
        "Token a.b.c",
        "a.b.c",
        "Bearer a.b.ç",
        "Bearer \u212a.b.c",
        "Roadstead-Probe",
    ],
)
def test_malformed_header_is_rejected(value: str) -> None:
    with pytest.raises(InvalidToken, match="send `Bearer TOKEN`"):
        read(("Authorization", value))


def test_repeated_header_is_rejected() -> None:
    with pytest.raises(BadQuestion, match="occurs 2 times"):
        read(("Authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c"))
    with pytest.raises(BadQuestion, match="occurs 2 times"):
        read(("X-Api-Key", "a.b.c"), ("x-api-key", "a.b.c"))


def test_token_is_read_from_x_api_key() -> None:
    assert read(("x-api-key", "a.b.c")) == (Source.BEARER, "a.b.c")


def test_x_api_key_has_precedence_over_the_cookie() -> None:
    found = read(("Cookie", f"{COOKIE}=a.b.c"), ("X-Api-Key", "d.e.f"))
    assert found == (Source.BEARER, "d.e.f")


def test_one_token_in_both_headers_is_one_credential() -> None:
    both = ("Authorization", "bearer a.b.c"), ("X-Api-Key", "a.b.c")
    assert read(*both) == read(*reversed(both)) == (Source.BEARER, "a.b.c")


@pytest.mark.parametrize("value", ["Bearer d.e.f", "Roadstead-Probe a.b.c"])
def test_different_credentials_in_two_headers_are_rejected(value: str) -> None:
    with pytest.raises(BadQuestion, match="send one of them") as raised:
        read(("Authorization", value), ("X-Api-Key", "a.b.c"))
    assert raised.value.reason == "CredentialsDiffer"


@pytest.mark.parametrize("value", ["", "Bearer a.b.c", "a.b.c d.e.f", "a.b.c ", "a.b.ç", "a\tb"])
def test_malformed_x_api_key_is_rejected(value: str) -> None:
    with pytest.raises(InvalidToken, match="the token alone"):
        read(("X-Api-Key", value))


def test_invalid_authorization_is_rejected_despite_x_api_key() -> None:
    with pytest.raises(InvalidToken, match="header Authorization"):
        read(("Authorization", "Basic YTpi"), ("X-Api-Key", "a.b.c"))


@pytest.mark.parametrize(
    "headers",
    [
        [("Cookie", f"{COOKIE}=a.b.c; {COOKIE}=d.e.f")],
        [("Cookie", f"{COOKIE}=a.b.c"), ("Cookie", f"{COOKIE}=a.b.c")],
    ],
    ids=["in one header", "in two"],
)
def test_repeated_cookie_is_rejected(headers: Pairs) -> None:
    with pytest.raises(BadQuestion, match="occurs 2 times"):
        read(*headers)


@pytest.mark.parametrize("value", ["", "a b", "é", "\udcff"])
def test_cookie_without_a_token_is_rejected(value: str) -> None:
    with pytest.raises(InvalidToken, match="contains no token"):
        read(("Cookie", f"{COOKIE}={value}"))


@pytest.mark.parametrize(
    "name", [COOKIE.lower(), COOKIE.upper(), f"{COOKIE}2", "roadstead-session"]
)
def test_cookie_of_another_name_is_ignored(name: str) -> None:
    assert read(("Cookie", f"{name}=a.b.c")) is None


_NAMES = st.sampled_from(["Authorization", "X-Api-Key", "Cookie"])


@given(st.lists(st.tuples(_NAMES, st.text()), max_size=4))
def test_any_headers_are_parsed_or_rejected(headers: Pairs) -> None:
    try:
        found = read(*headers)
    except (BadQuestion, InvalidToken):
        return
    assert found is None or found[1].isascii()
