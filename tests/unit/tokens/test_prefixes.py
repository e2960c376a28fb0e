"""Every name has one issuer, whatever tokens of other issuers contain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from roadstead.errors import InvalidKey, InvalidToken
from roadstead.tokens.claims import Claims
from roadstead.tokens.keys import KeySet
from roadstead.tokens.prefixes import NamePrefixes, valid_prefix
from roadstead.tokens.revocations import Revocations
from roadstead.tokens.verification import Issuer, TokenVerifier
from tests.support.builders.tokens import AUDIENCE, NOW, claims, key_of, private_key, signed

KEYS = KeySet.of([key_of(private_key("HS256"))])
PREFIXES = st.text("p:/", max_size=3)
NAMES = st.text("p:/a", min_size=1, max_size=6)


def alike(prefix: str) -> NamePrefixes:
    """Return the same prefix for all three kinds of names."""
    return NamePrefixes(subject=prefix, groups=prefix, scopes=prefix)


def trusting(*prefixes: NamePrefixes, **options: Any) -> TokenVerifier:
    """Return a verifier of issuers `0`, `1`, ..."""
    issuers = (
        Issuer(name=str(number), audience=AUDIENCE, keys=KEYS, prefixes=each)
        for number, each in enumerate(prefixes)
    )
    return TokenVerifier(issuers, **options)


def token(issuer: int, subject: str = "alice", **names: Any) -> str:
    """Return a token of the issuer with that number."""
    return signed(claims(iss=str(issuer), sub=subject, **names))


def names_of(verified_claims: Claims) -> set[tuple[str, str]]:
    """Return all names of a caller that a contract can list."""
    groups = {("group", name) for name in verified_claims.groups}
    return {
        ("subject", verified_claims.subject),
        *groups,
        *(("scope", name) for name in verified_claims.scopes),
    }


def verified(verifier: TokenVerifier, text: str) -> Claims | None:
    """Return the claims, or None if the token is refused for a foreign name."""
    try:
        return verifier.verify(text, now=NOW)
    except InvalidToken as error:
        if error.reason != "TokenForeignName":
            raise
        return None


def test_names_get_the_prefixes_of_their_issuer() -> None:
    own = NamePrefixes(subject="s:", groups="g:", scopes="c:")
    verified_claims = trusting(own).verify(token(0, groups=["a", "b"], scope="read"), now=NOW)
    assert names_of(verified_claims) == {
        ("subject", "s:alice"),
        ("group", "g:a"),
        ("group", "g:b"),
        ("scope", "c:read"),
    }
    assert verified_claims.issuer == "0"


@given(PREFIXES, PREFIXES, NAMES, NAMES)
def test_no_name_of_one_issuer_is_a_name_of_another(
    first: str, second: str, name: str, other: str
) -> None:
    assume(first != second)
    both = trusting(alike(first), alike(second))
    one = verified(both, token(0, name, groups=[name], scope=name))
    two = verified(both, token(1, other, groups=[other], scope=other))
    assert one is None or two is None or names_of(one).isdisjoint(names_of(two))


@pytest.mark.parametrize("names", [{"groups": ["b:x"]}, {"scope": "y b:x"}, {"subject": "b:x"}])
def test_name_with_the_prefix_of_another_issuer_is_refused(names: dict[str, Any]) -> None:
    both = trusting(alike(""), alike("b:"))
    assert verified(both, token(0, **names)) is None
    assert verified(both, token(1, **names)) is not None


@pytest.mark.parametrize("kind", ["subject", "groups", "scopes"])
@pytest.mark.parametrize("shared", ["", "same:"])
def test_two_issuers_with_one_prefix_are_refused(kind: str, shared: str) -> None:
    first, second = ({**vars(alike(prefix)), kind: shared} for prefix in ("a:", "b:"))
    with pytest.raises(InvalidKey, match="can't be distinguished"):
        trusting(NamePrefixes(**first), NamePrefixes(**second))


def test_subject_is_revoked_for_one_issuer() -> None:
    revoked = Revocations.parse({"sub": "b:alice"}).why
    both = trusting(alike(""), alike("b:"), revoked=revoked)
    both.verify(token(0), now=NOW)
    with pytest.raises(InvalidToken, match="revoked"):
        both.verify(token(1), now=NOW)


@pytest.mark.parametrize("text", ["", "partner:", "https://id.example.com#", "p" * 64, "1"])
def test_valid_prefixes(text: str) -> None:
    assert valid_prefix(text)


@pytest.mark.parametrize("text", [None, 1, " ", "a b", "a,b", "#", ":", "p\n", "é", "p" * 65])
def test_invalid_prefixes(text: object) -> None:
    assert not valid_prefix(text)
