"""Keys of every kind, and tokens signed with them: valid ones, and ones no library creates."""

from __future__ import annotations

import base64
import functools
import json
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from roadstead.tokens.keys import Key, KeySet, public_keys, secret_key
from roadstead.tokens.verification import Issuer, TokenVerifier

NOW: Final = 1_800_000_000
SECRET: Final = b"vJ4mQ0uD8wZs2Xn6Rk1Tf7Yb3Lp9Ch5A"
ISSUER: Final = "https://issuer.example.com"
AUDIENCE: Final = "roadstead"

Private = bytes | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def private_key(algorithm: str, name: str = "first") -> Private:
    """A key; equal `algorithm` and `name` return the same key during a test run."""
    return _private_key(algorithm, name)


@functools.cache
def _private_key(algorithm: str, name: str) -> Private:
    match algorithm:
        case "HS256":
            return SECRET + name.encode()
        case "RS256":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EdDSA":
            return ed25519.Ed25519PrivateKey.generate()
    raise ValueError(algorithm)


def pem(private: Private) -> bytes:
    """The public key as PEM."""
    assert not isinstance(private, bytes)
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_of(private: Private, *, kid: str = "") -> Key:
    """The key in the verifier's form."""
    if isinstance(private, bytes):
        return secret_key(private, kid=kid)
    return public_keys(pem(private), kid=kid)[0]


def claims(**changes: Any) -> dict[str, Any]:
    """Claims that are valid at NOW; a value of None removes a claim."""
    values = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": NOW - 60,
        "exp": NOW + 540,
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def prefixes(text: str) -> dict[str, str]:
    """The fields of an issuer with the prefix of its names."""
    return {"subjectPrefix": text, "groupsPrefix": text}


def signed(
    values: dict[str, Any],
    *,
    algorithm: str = "HS256",
    private: Private | None = None,
    headers: dict[str, Any] | None = None,
) -> str:
    """A correctly signed token of `values`."""
    key = private or private_key(algorithm)
    return jwt.encode(values, key, algorithm=algorithm, headers=headers)


def signed_bytes(header: bytes, payload: bytes, *, secret: bytes = SECRET + b"first") -> str:
    """An HS256 token of any bytes."""
    signing_input = b".".join([encoded(header), encoded(payload)])
    signer = jwt.PyJWS().get_algorithm_by_name("HS256")
    return b".".join([signing_input, encoded(signer.sign(signing_input, secret))]).decode()


def signed_header(header: dict[str, Any], **changes: Any) -> str:
    """An HS256 token with exactly this header."""
    return signed_bytes(json.dumps(header).encode(), json.dumps(claims(**changes)).encode())


def encoded(data: bytes) -> bytes:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def verifier(*keys: Key, **options: Any) -> TokenVerifier:
    """A verifier of ISSUER with `keys`, by default the HS256 key."""
    every = keys or (key_of(private_key("HS256")),)
    issuer = Issuer(name=ISSUER, audience=AUDIENCE, keys=KeySet.of(every))
    return TokenVerifier([issuer], **options)


ALGORITHMS: Final = ("HS256", "RS256", "ES256", "EdDSA")
"""One for each kind of key."""
