"""Which keys are accepted, and which of them a JWKS yields."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from roadstead.errors import InvalidKey
from roadstead.tokens.jwks import parse_jwks
from roadstead.tokens.keys import Algorithm, KeySet, public_keys, secret_key
from tests.support.builders.key_sets import document, entry
from tests.support.builders.tokens import SECRET, key_of, pem, private_key

WEAK = 1024
PUBLIC = ("RS256", "ES256", "EdDSA")


def spki(private: Any) -> bytes:
    """Return the public key of any private key."""
    public = private.public_key()
    data: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return data


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_pem_key_has_the_algorithm_of_its_kind(algorithm: str) -> None:
    assert algorithm in [key.algorithm for key in public_keys(pem(private_key(algorithm)))]


@pytest.mark.parametrize(
    ("curve", "algorithm"), [(ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")]
)
def test_curve_has_one_algorithm(curve: Any, algorithm: str) -> None:
    (key,) = public_keys(spki(ec.generate_private_key(curve)))
    assert key.algorithm == algorithm


def test_rsa_key_has_the_algorithms_of_both_paddings() -> None:
    found = [key.algorithm for key in public_keys(pem(private_key("RS256")))]
    assert found == ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: spki(rsa.generate_private_key(65537, WEAK)), id="rsa-1024"),
        pytest.param(lambda: spki(ec.generate_private_key(ec.SECP256K1())), id="secp256k1"),
        pytest.param(lambda: spki(ed448.Ed448PrivateKey.generate()), id="ed448"),
        pytest.param(
            lambda: ec.generate_private_key(ec.SECP256R1()).private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            ),
            id="private",
        ),
        pytest.param(lambda: b"", id="empty"),
        pytest.param(lambda: b"-----BEGIN PUBLIC KEY-----\nAAAA\n", id="cut-off"),
        pytest.param(lambda: SECRET, id="a-secret"),
    ],
)
def test_weak_and_foreign_keys_are_refused(make: Any) -> None:
    with pytest.raises(InvalidKey):
        public_keys(make())


def test_only_the_trailing_line_end_of_a_secret_is_removed() -> None:
    assert secret_key(b" " + SECRET + b"\r\n").material == b" " + SECRET


@pytest.mark.parametrize("secret", [b"", SECRET[:31], SECRET[:31] + b"\n"])
def test_secret_below_32_bytes_is_refused(secret: bytes) -> None:
    with pytest.raises(InvalidKey, match="32"):
        secret_key(secret)


@pytest.mark.parametrize("algorithm", PUBLIC)
def test_public_key_is_refused_as_a_secret(algorithm: str) -> None:
    text = pem(private_key(algorithm))
    jwk = json.dumps(entry(algorithm)).encode()
    der = base64.b64decode(b"".join(text.splitlines()[1:-1]))
    for secret in (text, der, jwk):
        with pytest.raises(InvalidKey):
            secret_key(secret)


def test_public_key_with_a_trailing_line_end_is_refused_as_a_secret() -> None:
    keys = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32).public_key() for n in range(256))
    ders = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in keys]
    (found, *_) = [der for der in ders if der.endswith((b"\n", b"\r"))]
    with pytest.raises(InvalidKey):
        secret_key(found)


def test_repr_does_not_show_a_secret() -> None:
    key = secret_key(SECRET)
    assert SECRET.decode() not in repr(key) + repr(KeySet.of([key]))


def test_empty_set_is_refused() -> None:
    with pytest.raises(InvalidKey):
        KeySet.of([])


def test_duplicate_key_is_kept_once() -> None:
    key = key_of(private_key("ES256"), kid="one")
    assert KeySet.of([key, key]).keys == (key,)


def test_keys_with_one_id_are_distinguished_by_their_algorithms() -> None:
    keys = parse_jwks(document(entry("ES256", kid="a"), entry("EdDSA", kid="a")))
    assert [key.algorithm for key in keys.with_id("a")] == ["ES256", "EdDSA"]


@pytest.mark.parametrize("name", ["use", "alg", "key_ops", "kid"])
def test_null_counts_as_absent(name: str) -> None:
    nothing: dict[str, Any] = {name: None}
    assert parse_jwks(document(entry("ES256", **nothing))).keys


@pytest.mark.parametrize(
    "kid", ["J4j+I06r/Xv4uYrrpwwSNK0=", "public:hydra.id", "https://v/keys/1a"]
)
def test_key_id_may_be_a_hash_a_path_or_a_url(kid: str) -> None:
    assert parse_jwks(document(entry("ES256", kid=kid))).with_id(kid)


def test_set_can_be_limited_to_some_algorithms() -> None:
    keys = parse_jwks(document(entry("RS256", kid="a"), entry("ES256", kid="b")))
    limited = keys.limited_to(["ES256"])
    assert [key.kid for key in limited.keys] == ["b"]
    with pytest.raises(InvalidKey):
        limited.limited_to(["EdDSA"])


def test_unusable_entries_of_a_jwks_are_ignored() -> None:
    good = [entry(algorithm, kid=algorithm) for algorithm in PUBLIC]
    others: list[Any] = [
        entry("RS256", kid="enc", use="enc"),
        entry("RS256", kid="oaep", alg="RSA-OAEP"),
        entry("ES256", kid="ops", key_ops=["encrypt"]),
        entry("ES256", kid="ops2", key_ops="verify"),
        entry("ES256", kid="a blank"),
        entry("ES256", kid=7),
        entry("ES256", kid="off", y="AAAA"),
        {"kty": "EC", "crv": "P-521", "kid": "p521", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": ["P-256"], "kid": "list"},
        {"kty": "RSA", "kid": "empty"},
        {"kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AA"},
        entry("RS256", kid="small", n="AQAB"),
        "key",
        None,
    ]
    keys = parse_jwks(document(*others, *good))
    assert {key.kid for key in keys.keys} == set(PUBLIC)


def test_both_names_of_ed25519_are_accepted() -> None:
    keys = parse_jwks(document(entry("EdDSA", kid="a", alg="Ed25519")))
    assert keys.keys[0].algorithm is Algorithm.EDDSA


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<html>", id="html"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no-keys"),
        pytest.param(b'{"keys":{}}', id="keys-is-an-object"),
        pytest.param(document(), id="no-key"),
        pytest.param(document(entry("RS256", use="enc")), id="no-usable-key"),
        pytest.param(document({"kty": "oct", "k": "AAAA"}), id="symmetric"),
        pytest.param(document(entry("ES256"), {**entry("EdDSA"), "d": "AA"}), id="private"),
        pytest.param(document(*[entry("ES256", kid=str(n)) for n in range(101)]), id="too-many"),
        pytest.param(document(entry("ES256", padding="x" * 70_000)), id="too-long"),
    ],
)
def test_invalid_key_set_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidKey):
        parse_jwks(data)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@given(
    algorithm=st.sampled_from(PUBLIC),
    changes=st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops"]), JUNK
    ),
)
def test_entry_of_a_key_set_raises_only_invalid_key(
    algorithm: str, changes: dict[str, Any]
) -> None:
    try:
        parse_jwks(document({**entry(algorithm), **changes}))
    except InvalidKey:
        return


def test_key_of_a_set_verifies_a_signature_of_pyjwt() -> None:
    for algorithm in PUBLIC:
        private: Any = private_key(algorithm)
        token = jwt.encode({"a": 1}, private, algorithm=algorithm)
        message, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        key = parse_jwks(document(entry(algorithm))).keys[0]
        assert key.verifies(message.encode(), raw)
        assert not key.verifies(message.encode(), raw[:-1])
        assert not key.verifies(b"x" + message.encode(), raw)
