"""Verification of tokens."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from roadstead import tokens
from roadstead.errors import InvalidKey, InvalidToken
from roadstead.tokens.claims import Claims
from roadstead.tokens.keys import KeySet, public_keys
from roadstead.tokens.prefixes import NamePrefixes
from roadstead.tokens.revocations import Revocations
from roadstead.tokens.verification import Issuer, TokenVerifier
from tests.support.builders.tokens import (
    ALGORITHMS,
    AUDIENCE,
    ISSUER,
    NOW,
    SECRET,
    claims,
    encoded,
    key_of,
    pem,
    private_key,
    signed,
    signed_bytes,
    signed_header,
    verifier,
)


def refusal(token: str, checking: TokenVerifier | None = None, *, now: int = NOW) -> str:
    """Return the reason why `token` is refused."""
    with pytest.raises(InvalidToken) as caught:
        (checking or verifier()).verify(token, now=now)
    assert token[-20:] not in str(caught.value) or not token
    return caught.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_token_of_each_algorithm_is_verified(algorithm: str) -> None:
    private = private_key(algorithm)
    token = signed(
        claims(groups=["demo-users", "staff"], scope="read write", jti="1"),
        algorithm=algorithm,
        headers={"kid": "one"},
    )
    verified = verifier(key_of(private, kid="one")).verify(token, now=NOW)
    assert (verified.subject, verified.issuer, verified.audience) == ("alice", ISSUER, (AUDIENCE,))
    assert verified.groups == {"demo-users", "staff"}
    assert verified.scopes == {"read", "write"}
    assert (verified.token_id, verified.issued_at, verified.expires_at) == (
        "1",
        NOW - 60,
        NOW + 540,
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_token_of_another_key_is_refused(algorithm: str) -> None:
    token = signed(claims(), private=private_key(algorithm, "second"), algorithm=algorithm)
    assert refusal(token, verifier(key_of(private_key(algorithm)))) == "TokenSignature"


@pytest.mark.parametrize("header", ALGORITHMS)
@pytest.mark.parametrize("of_key", ALGORITHMS)
def test_key_determines_the_algorithm(header: str, of_key: str) -> None:
    """Every pair of algorithms in the header and of the key."""
    if header == of_key:
        return
    token = signed(claims(), algorithm=header)
    assert refusal(token, verifier(key_of(private_key(of_key)))) == "TokenAlgorithm"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("form", ["pem", "stripped", "der"])
def test_hs256_with_the_public_key_as_secret_is_refused(algorithm: str, form: str) -> None:
    """RFC 8725, 2.1: a public key must not be usable as a secret."""
    private = private_key(algorithm)
    text = pem(private)
    body = b"".join(text.splitlines()[1:-1])
    secret = {"pem": text, "stripped": text.strip(), "der": body}[form]
    header, payload = json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps(claims())
    token = signed_bytes(header.encode(), payload.encode(), secret=secret)
    assert refusal(token, verifier(key_of(private))) == "TokenAlgorithm"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "HS384", "RS512", "PS256"])
@pytest.mark.parametrize("signature", ["", "AAAA"])
def test_none_and_unsupported_algorithms_are_refused(alg: str, signature: str) -> None:
    parts = [json.dumps({"alg": alg, "typ": "JWT"}), json.dumps(claims())]
    token = ".".join([*(encoded(part.encode()).decode() for part in parts), signature])
    assert refusal(token) == "TokenAlgorithm"


@pytest.mark.parametrize("alg", ["RS384", "RS512", "PS256", "PS384", "PS512"])
def test_rsa_key_verifies_all_rsa_algorithms(alg: str) -> None:
    keys = KeySet.of(public_keys(pem(private_key("RS256"))))
    issuer = Issuer(name=ISSUER, audience=AUDIENCE, keys=keys)
    token = signed(claims(), private=private_key("RS256"), algorithm=alg)
    assert TokenVerifier([issuer]).verify(token, now=NOW).subject == "alice"


def test_token_without_a_key_id_is_verified_with_each_key() -> None:
    keys = [key_of(private_key("ES256", which)) for which in ("first", "second")]
    token = signed(claims(), private=private_key("ES256", "second"), algorithm="ES256")
    assert verifier(*keys).verify(token, now=NOW).subject == "alice"


def test_token_without_a_key_id_is_refused_if_there_are_many_keys() -> None:
    keys = [key_of(private_key("HS256", str(number))) for number in range(9)]
    assert refusal(signed(claims()), verifier(*keys)) == "TokenKeyUnknown"


BAD_CLAIMS: list[Any] = [
    pytest.param({"aud": "another"}, "TokenAudience", id="wrong-aud"),
    pytest.param({"aud": ["one", "two"]}, "TokenAudience", id="wrong-auds"),
    pytest.param({"aud": []}, "TokenAudience", id="empty-aud"),
    pytest.param({"aud": {"roadstead": True}}, "TokenAudience", id="aud-is-an-object"),
    pytest.param({"aud": ["roadstead", 1]}, "TokenAudience", id="aud-with-a-number"),
    pytest.param({"aud": None}, "TokenAudience", id="no-aud"),
    pytest.param({"iss": "https://evil.example.com"}, "TokenIssuer", id="wrong-iss"),
    pytest.param({"iss": ISSUER + "/"}, "TokenIssuer", id="iss-with-a-slash"),
    pytest.param({"iss": [ISSUER]}, "TokenIssuer", id="iss-is-a-list"),
    pytest.param({"iss": None}, "TokenIssuer", id="no-iss"),
    pytest.param({"sub": None}, "TokenSubject", id="no-sub"),
    pytest.param({"sub": ""}, "TokenSubject", id="empty-sub"),
    pytest.param({"sub": 7}, "TokenSubject", id="sub-is-a-number"),
    pytest.param({"sub": " alice"}, "TokenSubject", id="sub-with-a-blank"),
    pytest.param({"sub": "alice\nINFO root"}, "TokenSubject", id="sub-of-two-lines"),
    pytest.param({"sub": "ali\u202ece"}, "TokenSubject", id="sub-turned-round"),
    pytest.param({"sub": "a" * 257}, "TokenSubject", id="long-sub"),
    pytest.param({"exp": None}, "TokenClaims", id="no-exp"),
    pytest.param({"exp": str(NOW + 60)}, "TokenClaims", id="exp-is-text"),
    pytest.param({"exp": True}, "TokenClaims", id="exp-is-true"),
    pytest.param({"exp": 10**30}, "TokenClaims", id="exp-is-huge"),
    pytest.param({"exp": 1e300}, "TokenClaims", id="exp-is-a-huge-fraction"),
    pytest.param({"exp": -1}, "TokenClaims", id="exp-is-negative"),
    pytest.param({"iat": None}, "TokenClaims", id="no-iat"),
    pytest.param({"exp": NOW + 5641}, "TokenClaims", id="lives-too-long"),
    pytest.param({"iat": NOW - 60, "exp": NOW - 60}, "TokenExpired", id="lives-not-at-all"),
    pytest.param({"exp": NOW - 30}, "TokenExpired", id="expired-at-the-leeway"),
    pytest.param({"exp": NOW - 31}, "TokenExpired", id="expired-a-second-over-the-leeway"),
    pytest.param({"nbf": NOW + 31}, "TokenNotYetValid", id="nbf-in-the-future"),
    pytest.param({"iat": NOW + 31}, "TokenNotYetValid", id="iat-in-the-future"),
    pytest.param({"nbf": "now"}, "TokenClaims", id="nbf-is-text"),
    pytest.param({"groups": {"admin": 1}}, "TokenClaims", id="groups-is-an-object"),
    pytest.param({"scope": 1}, "TokenClaims", id="scope-is-a-number"),
    pytest.param({"jti": 1}, "TokenClaims", id="jti-is-a-number"),
]


@pytest.mark.parametrize(("changes", "reason"), BAD_CLAIMS)
def test_invalid_claims_are_refused(changes: dict[str, Any], reason: str) -> None:
    assert refusal(signed_header({"alg": "HS256"}, **changes)) == reason


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": NOW - 29}, id="expired-within-the-leeway"),
        pytest.param({"nbf": NOW + 30}, id="nbf-within-the-leeway"),
        pytest.param({"iat": NOW + 30}, id="iat-within-the-leeway"),
        pytest.param({"exp": NOW + 5640}, id="longest-life"),
        pytest.param({"aud": ["another", AUDIENCE]}, id="one-of-two-auds"),
        pytest.param({"sub": "Ålice Müller 李"}, id="unicode-sub"),
        pytest.param({"unknown": {"a": [1.5, None]}}, id="claims-of-others"),
        pytest.param({"iat": NOW - 5 + 0.172, "exp": NOW + 295.172}, id="times-with-fractions"),
    ],
)
def test_claims_at_their_bounds_are_valid(changes: dict[str, Any]) -> None:
    verifier().verify(signed(claims(**changes)), now=NOW)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [(["a", "b"], {"a", "b"}), ("a b", {"a b"}), ([], set()), ("", set()), (None, set())],
)
def test_groups_are_a_list_or_one_string(groups: object, expected: set[str]) -> None:
    assert verifier().verify(signed(claims(groups=groups)), now=NOW).groups == expected


@pytest.mark.parametrize(
    ("scope", "expected"), [("a b", {"a", "b"}), (["a", "b"], {"a", "b"}), ("", set())]
)
def test_scopes_are_separated_by_spaces_or_a_list(scope: object, expected: set[str]) -> None:
    assert verifier().verify(signed(claims(scope=scope)), now=NOW).scopes == expected


def claims_of(issuer: dict[str, Any], **changes: Any) -> Claims:
    """Return the verified claims of an issuer's token with these claims."""
    given: dict[str, Any] = {"name": ISSUER, "audience": AUDIENCE, **issuer}
    keys = KeySet.of([key_of(private_key("HS256"))])
    return TokenVerifier([Issuer(keys=keys, **given)]).verify(signed(claims(**changes)), now=NOW)


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["ml"]}}),
        ("resource_access.road.stead.roles", {"resource_access": {"road.stead": {"roles": "ml"}}}),
        ("https://example.com/groups", {"https://example.com/groups": ["ml"]}),
        ("urn:zitadel:roles", {"urn:zitadel:roles": {"ml": {"2311": "example.com"}}}),
    ],
)
def test_groups_are_read_from_the_configured_claim(claim: str, value: dict[str, Any]) -> None:
    assert claims_of({"groups_claim": claim}, groups=None, **value).groups == {"ml"}


@pytest.mark.parametrize(
    ("changes", "remarks"),
    [
        ({"groups": ["a"]}, ()),
        ({"groups": []}, ()),
        ({"groups": None}, ("GroupsMissing",)),
        ({"groups": None, "_claim_names": {"groups": "src1"}}, ("GroupsElsewhere",)),
        ({"groups": None, "hasgroups": True}, ("GroupsElsewhere",)),
        ({"groups": ["a", None, "b ", "c" * 513]}, ("GroupsDropped",)),
    ],
)
def test_missing_groups_are_remarked(changes: dict[str, Any], remarks: tuple[str, ...]) -> None:
    assert claims_of({}, **changes).remarks == remarks


def test_invalid_groups_do_not_affect_the_others() -> None:
    assert claims_of({}, groups=["ml", None, ["b"], "CN=" + "x" * 300]).groups == {
        "ml",
        "CN=" + "x" * 300,
    }


def test_token_without_iat_is_valid_if_the_issuer_allows_it() -> None:
    allowed = {"issued_at_required": False}
    assert claims_of(allowed, iat=None).issued_at == 0
    with pytest.raises(InvalidToken, match="at most 5700 s"):
        claims_of(allowed, iat=None, exp=NOW + 5701)


def test_subject_may_be_in_another_claim() -> None:
    assert claims_of({"subject_claim": "appid"}, sub=None, appid="1269b850").subject == "1269b850"


@pytest.mark.parametrize("verified", [False, "false", "true", 1, [], {}])
def test_unverified_address_is_refused_as_subject(verified: object) -> None:
    with pytest.raises(InvalidToken) as caught:
        claims_of({"subject_claim": "email"}, email="alice@example.com", email_verified=verified)
    assert caught.value.reason == "TokenSubject"


def test_verified_or_unmarked_address_is_accepted_as_subject() -> None:
    by_email = {"subject_claim": "email"}
    address = "alice@example.com"
    assert claims_of(by_email, email=address, email_verified=True).subject == address
    assert claims_of(by_email, email=address).subject == address
    assert claims_of({}, email=address, email_verified=False).subject == "alice"


def test_issuer_may_have_several_audiences() -> None:
    assert claims_of({"more_audiences": frozenset({"account"})}, aud="account")


def test_issuer_may_have_its_own_lifetime() -> None:
    assert claims_of({"max_lifetime": 86_400}, exp=NOW + 86_000)


def test_groups_and_scopes_come_from_the_issuers_claims() -> None:
    keys = KeySet.of([key_of(private_key("HS256"))])
    issuer = Issuer(
        name=ISSUER, audience=AUDIENCE, keys=keys, groups_claim="roles", scopes_claim="scp"
    )
    token = signed(claims(groups=["admin"], scope="all", roles=["reader"], scp=["read"]))
    verified = TokenVerifier([issuer]).verify(token, now=NOW)
    assert verified.groups == {"reader"}
    assert verified.scopes == {"read"}


BAD_HEADERS: list[Any] = [
    pytest.param({"alg": "HS256", "crit": ["exp"]}, "TokenMalformed", id="crit"),
    pytest.param({"alg": "HS256", "crit": []}, "TokenMalformed", id="empty-crit"),
    pytest.param({"alg": "HS256", "b64": False}, "TokenMalformed", id="b64"),
    pytest.param({"alg": "HS256", "typ": "roadstead-receipt+jwt"}, "TokenMalformed", id="receipt"),
    pytest.param({"alg": "HS256", "typ": "secevent+jwt"}, "TokenMalformed", id="event"),
    pytest.param({"alg": "HS256", "typ": 1}, "TokenMalformed", id="typ-is-a-number"),
    pytest.param({"alg": "HS256", "kid": "unknown"}, "TokenKeyUnknown", id="unknown-kid"),
    pytest.param({"alg": "HS256", "kid": ""}, "TokenMalformed", id="empty-kid"),
    pytest.param({"alg": "HS256", "kid": "../../dev/null"}, "TokenKeyUnknown", id="kid-is-a-path"),
    pytest.param({"alg": "HS256", "kid": "' OR 1=1 --"}, "TokenMalformed", id="kid-is-sql"),
    pytest.param(
        {"alg": "HS256", "kid": "https://e.example"}, "TokenKeyUnknown", id="kid-is-a-url"
    ),
    pytest.param({"alg": "HS256", "kid": "one\n"}, "TokenMalformed", id="kid-with-a-line-end"),
    pytest.param({"alg": "HS256", "kid": ["one"]}, "TokenMalformed", id="kid-is-a-list"),
    pytest.param({"alg": "HS256", "kid": "k" * 257}, "TokenMalformed", id="long-kid"),
    pytest.param({"typ": "JWT"}, "TokenAlgorithm", id="no-alg"),
    pytest.param({"alg": ["HS256"]}, "TokenAlgorithm", id="alg-is-a-list"),
    pytest.param({"alg": None}, "TokenAlgorithm", id="alg-is-null"),
]


@pytest.mark.parametrize(("header", "reason"), BAD_HEADERS)
def test_unsupported_headers_are_refused(header: dict[str, Any], reason: str) -> None:
    assert refusal(signed_header(header)) == reason


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_types_of_tokens_are_accepted(typ: str) -> None:
    verifier().verify(signed_header({"alg": "HS256", "typ": typ}), now=NOW)


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c"])
def test_key_in_a_token_is_not_used(name: str) -> None:
    header = {"alg": "HS256", name: "https://evil.example.com"}
    verifier().verify(signed_header(header), now=NOW)
    token = signed_bytes(json.dumps(header).encode(), json.dumps(claims()).encode(), secret=SECRET)
    assert refusal(token) == "TokenSignature"


HEADER = b'{"alg":"HS256"}'
BODY = json.dumps(claims()).encode()
BAD_JSON: list[Any] = [
    pytest.param(HEADER, BODY[:-1] + b',"sub":"bob"}', id="duplicate-sub"),
    pytest.param(HEADER, BODY[:-1] + b',"s\\u0075b":"bob"}', id="duplicate-sub-escaped"),
    pytest.param(HEADER, BODY[:-1] + b',"x":{"a":1,"a":2}}', id="duplicate-key-below"),
    pytest.param(b'{"alg":"none","alg":"HS256"}', BODY, id="duplicate-alg"),
    pytest.param(HEADER, BODY[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", id="list-bomb"),
    pytest.param(HEADER, b'{"a":' * 2000 + b"1" + b"}" * 2000, id="object-bomb"),
    pytest.param(b'{"alg":' + b"[" * 4000 + b"]" * 4000 + b"}", BODY, id="header-bomb"),
    pytest.param(HEADER, b"[" * 9000, id="unclosed-bomb"),
    pytest.param(HEADER, BODY[:-1] + b',"x":NaN}', id="nan"),
    pytest.param(HEADER, BODY[:-1] + b',"x":-Infinity}', id="infinity"),
    pytest.param(HEADER, BODY[:-1] + b',"x":' + b"9" * 5000 + b"}", id="number-of-5000-digits"),
    pytest.param(HEADER, BODY[:-1] + b',"x":"\\ud800"}', id="lone-surrogate"),
    pytest.param(HEADER, BODY[:-1] + b',"x":"\xff"}', id="bad-utf-8"),
    pytest.param(HEADER, BODY[:-1] + b',"x":"\xc0\xaf"}', id="overlong-utf-8"),
    pytest.param(HEADER, BODY.decode().encode("utf-16"), id="utf-16"),
    pytest.param(HEADER, b"\xef\xbb\xbf" + BODY, id="byte-order-mark"),
    pytest.param(HEADER, BODY + b"{}", id="two-objects"),
    pytest.param(HEADER, b"[]", id="a-list"),
    pytest.param(HEADER, b'"alice"', id="a-string"),
    pytest.param(HEADER, b"null", id="null"),
    pytest.param(HEADER, b"", id="nothing"),
    pytest.param(b"[]", BODY, id="header-is-a-list"),
    pytest.param(b"\xff", BODY, id="header-of-bad-utf-8"),
]


@pytest.mark.parametrize(("header", "payload"), BAD_JSON)
def test_signed_invalid_json_is_refused(header: bytes, payload: bytes) -> None:
    assert refusal(signed_bytes(header, payload)) == "TokenMalformed"


GOOD = signed(claims())
_LAST = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
BAD_SHAPES: list[Any] = [
    pytest.param("", id="empty"),
    pytest.param(".", id="dot"),
    pytest.param("..", id="dots"),
    pytest.param("abc", id="text"),
    pytest.param(GOOD.rsplit(".", 1)[0], id="two-parts"),
    pytest.param(GOOD + ".", id="four-parts"),
    pytest.param(GOOD + ".AAAA.AAAA", id="encrypted"),
    pytest.param(f"{GOOD}\n{GOOD}", id="two-tokens-on-lines"),
    pytest.param(f"{GOOD},{GOOD}", id="two-tokens-with-a-comma"),
    pytest.param(f"Bearer {GOOD}", id="bearer"),
    pytest.param(f" {GOOD}", id="blank-before"),
    pytest.param(f"{GOOD}\n", id="line-end"),
    pytest.param(f"{GOOD}=", id="padding"),
    pytest.param(GOOD.replace(".", "!.", 1), id="no-base64"),
    pytest.param(GOOD.replace(".", "/.", 1), id="plain-base64"),
    pytest.param(GOOD.replace("e", "é", 1), id="not-ascii"),
    pytest.param(GOOD.replace("e", "\ud800", 1), id="surrogate"),
    pytest.param(GOOD.replace("e", "\0", 1), id="nul"),
    pytest.param(GOOD[:-1] + _LAST[_LAST.index(GOOD[-1]) + 1], id="not-canonical"),
    pytest.param(json.dumps({"payload": GOOD, "signatures": []}), id="json-serialization"),
]


@pytest.mark.parametrize("token", BAD_SHAPES)
def test_malformed_token_is_refused(token: str) -> None:
    assert refusal(token) == "TokenMalformed"


@pytest.mark.parametrize("length", [16 * 1024 + 1, 1024 * 1024])
def test_large_token_is_refused_before_it_is_parsed(length: int) -> None:
    token = signed(claims(padding="x" * length))
    assert refusal(token) == "TokenTooLarge"


def test_token_just_below_the_size_limit_is_valid() -> None:
    token = signed(claims(padding="x" * 11_900))
    assert 15_900 < len(token) <= 16 * 1024
    verifier().verify(token, now=NOW)


OTHER_PREFIXES = NamePrefixes(subject="other:", groups="other:", scopes="other:")


def test_key_verifies_only_its_own_issuers_tokens() -> None:
    mine, other = key_of(private_key("HS256")), key_of(private_key("HS256", "second"))
    both = TokenVerifier(
        [
            Issuer(name=ISSUER, audience=AUDIENCE, keys=KeySet.of([mine])),
            Issuer(
                name="other", audience=AUDIENCE, keys=KeySet.of([other]), prefixes=OTHER_PREFIXES
            ),
        ]
    )
    assert both.verify(signed(claims()), now=NOW).issuer == ISSUER
    assert refusal(signed(claims(iss="other")), both) == "TokenSignature"


def test_each_issuer_has_its_own_audience() -> None:
    keys = KeySet.of([key_of(private_key("HS256"))])
    both = TokenVerifier(
        [
            Issuer(name=ISSUER, audience="one", keys=keys),
            Issuer(name="other", audience="two", keys=keys, prefixes=OTHER_PREFIXES),
        ]
    )
    assert refusal(signed(claims(aud="two")), both) == "TokenAudience"


def test_two_issuers_of_one_name_are_refused() -> None:
    issuer = Issuer(name=ISSUER, audience="one", keys=KeySet.of([key_of(private_key("HS256"))]))
    with pytest.raises(InvalidKey):
        TokenVerifier([issuer, issuer])


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({"jti": "# lost laptop\n one \n"}, id="by-token-id"),
        pytest.param({"sub": "bob\nalice\n"}, id="by-subject"),
    ],
)
def test_revoked_token_is_refused(data: dict[str, str]) -> None:
    revoked = Revocations.parse(data).why
    assert refusal(signed(claims(jti="one")), verifier(revoked=revoked)) == "TokenRevoked"


@pytest.mark.parametrize("data", [{}, {"jti": "", "sub": "\n\n"}, {"jti": "#one", "sub": "al"}])
def test_token_without_a_revocation_is_valid(data: dict[str, str]) -> None:
    verifier(revoked=Revocations.parse(data).why).verify(signed(claims(jti="one")), now=NOW)


def test_issued_token_is_valid() -> None:
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    hour = datetime.timedelta(hours=1)
    names = {"audience": AUDIENCE, "issuer": ISSUER}
    token = tokens.issue(
        SECRET, subject="alice", lifetime=hour, now=now, claims={"groups": ["a"]}, **names
    )
    verified = tokens.verify(token, SECRET, now=now, max_lifetime=hour, **names)
    assert verified.subject == "alice"
    assert verified.groups == {"a"}


def test_short_secret_is_refused() -> None:
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    hour = datetime.timedelta(hours=1)
    with pytest.raises(InvalidKey):
        tokens.issue(SECRET[:31], subject="a", audience="b", issuer="c", lifetime=hour, now=now)
