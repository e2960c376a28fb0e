"""Keys that tokens are verified with: each has one algorithm, independent of the token."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from roadstead.errors import InvalidKey

MIN_SECRET_BYTES: Final = 32
"""RFC 7518, 3.2: at least the size of the hash."""
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
"""Larger keys make verification so slow that tokens could be used to exhaust the CPU."""


class Algorithm(enum.StrEnum):
    """The supported signature algorithms (RFC 7518, 3.1; RFC 8037)."""

    HS256 = "HS256"
    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"


_OF_RSA: Final = tuple(each for each in Algorithm if each[:2] in ("RS", "PS"))

_JWS: Final = jwt.PyJWS(algorithms=list(Algorithm))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Key:
    """One key; `kid` is "" if it has no id. Created by `secret_key`, `public_keys` or a JWKS."""

    kid: str
    algorithm: Algorithm
    material: Any = dataclasses.field(repr=False)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` of `message` was made with this key; never raises."""
        verifier = _JWS.get_algorithm_by_name(self.algorithm)
        return verifier.verify(message, self.material, signature)


class KeyLookup(Protocol):
    """Provides an issuer's keys: a fixed set, or one that is refreshed."""

    def with_id(self, kid: str) -> Sequence[Key]:
        """Return the keys with that id, or all for an empty id."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeySet:
    """The keys of one issuer at one point in time."""

    keys: tuple[Key, ...]

    @functools.cached_property
    def _by_id(self) -> dict[str, list[Key]]:
        found: dict[str, list[Key]] = {}
        for key in self.keys:
            found.setdefault(key.kid, []).append(key)
        return found

    @classmethod
    def of(cls, keys: Iterable[Key]) -> KeySet:
        """Create a set without duplicates; raises InvalidKey if it is empty.

        Several keys may have one id, for several algorithms or while one replaces another (RFC
        7517, 4.5): a token is verified with each that has its algorithm.
        """
        every: list[Key] = []
        for key in keys:
            if key not in every:
                every.append(key)
        if not every:
            raise InvalidKey("no usable key to verify tokens with")
        return cls(keys=tuple(every))

    def with_id(self, kid: str) -> Sequence[Key]:
        """Return the keys with that id, or all for an empty id."""
        return self._by_id.get(kid, ()) if kid else self.keys

    def limited_to(self, algorithms: Iterable[str]) -> KeySet:
        """Return the keys for `algorithms`; raises InvalidKey if there are none."""
        allowed = frozenset(algorithms)
        return KeySet.of(key for key in self.keys if key.algorithm in allowed)


def secret_key(secret: bytes, *, kid: str = "") -> Key:
    """Create an HS256 key from at least 32 bytes, without trailing line ends."""
    whole, secret = secret, trim_line_end(secret)
    if len(secret) < MIN_SECRET_BYTES:
        count = len(secret)
        raise InvalidKey(
            f"the secret has {count} bytes; HS256 requires at least {MIN_SECRET_BYTES}"
        )
    try:
        # Refuses a public key, a certificate or a JWK in any form: as a secret, it would allow
        # everyone who knows it to sign (RFC 8725, 2.1). The last byte of a binary form may be a
        # line end.
        for form in (whole, secret):
            material = _JWS.get_algorithm_by_name(Algorithm.HS256).prepare_key(form)
    except jwt.PyJWTError:
        message = "the secret is a public key, a certificate or a JWK; use publicKeyFile or jwks"
        raise InvalidKey(message) from None
    return Key(kid=kid, algorithm=Algorithm.HS256, material=material)


def public_keys(pem: bytes, *, kid: str = "") -> tuple[Key, ...]:
    """Return the key of a PEM `PUBLIC KEY`, once for each algorithm it can be used with.

    RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519; raises InvalidKey otherwise.
    """
    try:
        material = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey("expected a PEM public key (BEGIN PUBLIC KEY)") from None
    algorithms = algorithms_of(material)
    return tuple(Key(kid=kid, algorithm=each, material=material) for each in algorithms)


def algorithms_of(material: object) -> Sequence[Algorithm]:
    """Return the algorithms of a public key; raises InvalidKey for weak or other keys."""
    match material:
        case RSAPublicKey():
            if not MIN_RSA_BITS <= material.key_size <= MAX_RSA_BITS:
                limits = f"{MIN_RSA_BITS} to {MAX_RSA_BITS}"
                raise InvalidKey(f"the RSA key has {material.key_size} bits; expected {limits}")
            return _OF_RSA
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return (Algorithm.ES256,)
        case EllipticCurvePublicKey(curve=SECP384R1()):
            return (Algorithm.ES384,)
        case EllipticCurvePublicKey(curve=SECP521R1()):
            return (Algorithm.ES512,)
        case Ed25519PublicKey():
            return (Algorithm.EDDSA,)
    raise InvalidKey("unsupported key: expected RSA, P-256, P-384, P-521 or Ed25519")


def trim_line_end(secret: bytes) -> bytes:
    """Remove the trailing line end that editors and `echo` write."""
    return secret.rstrip(b"\r\n")
