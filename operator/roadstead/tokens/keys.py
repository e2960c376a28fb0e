"""Keys that tokens are verified with: each has one algorithm, whatever a token says."""

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
"""RFC 7518, 3.2: a key of the hash's size at least."""
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
"""Above it one verification costs so much that tokens could be used to keep a core busy."""


class Algorithm(enum.StrEnum):
    """The signatures (RFC 7518, 3.1; RFC 8037) that a token may have."""

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
    """One key; `kid` is empty if it has no id. Made by `secret_key`, `public_key` or a JWKS."""

    kid: str
    algorithm: Algorithm
    material: Any = dataclasses.field(repr=False)

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `message`; never raises."""
        verifier = _JWS.get_algorithm_by_name(self.algorithm)
        return verifier.verify(message, self.material, signature)


class KeyLookup(Protocol):
    """Where a verifier asks for an issuer's keys: a fixed set, or one that is kept fresh."""

    def named(self, kid: str) -> Sequence[Key]:
        """The keys of that id, or all for an empty id; none if there is none such."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeySet:
    """The keys of one issuer at one time."""

    keys: tuple[Key, ...]

    @functools.cached_property
    def _by_id(self) -> dict[str, list[Key]]:
        found: dict[str, list[Key]] = {}
        for key in self.keys:
            found.setdefault(key.kid, []).append(key)
        return found

    @classmethod
    def of(cls, keys: Iterable[Key]) -> KeySet:
        """A set of them, each once; InvalidKey if there are none.

        Several may have one id, for several algorithms or while one replaces another (RFC 7517,
        4.5): a token is tried with each that fits.
        """
        every: list[Key] = []
        for key in keys:
            if key not in every:
                every.append(key)
        if not every:
            raise InvalidKey("there is no key that tokens can be verified with")
        return cls(keys=tuple(every))

    def named(self, kid: str) -> Sequence[Key]:
        """The keys of that id; for an empty id all."""
        return self._by_id.get(kid, ()) if kid else self.keys

    def limited(self, algorithms: Iterable[str]) -> KeySet:
        """Only the keys of `algorithms`; InvalidKey if that leaves none."""
        allowed = frozenset(algorithms)
        return KeySet.of(key for key in self.keys if key.algorithm in allowed)


def secret_key(secret: bytes, *, kid: str = "") -> Key:
    """An HS256 key of a secret's bytes, without line ends behind them; 32 bytes at least."""
    whole, secret = secret, trimmed(secret)
    if len(secret) < MIN_SECRET_BYTES:
        count = len(secret)
        raise InvalidKey(f"the secret has {count} bytes; HS256 needs {MIN_SECRET_BYTES} at least")
    try:
        # Refuses what is a public key, a certificate or a JWK in any form: whoever has such a
        # thing as secret would let everybody who knows it sign (RFC 8725, 2.1). The last byte of
        # a binary one may look like the end of a line.
        for form in (whole, secret):
            material = _JWS.get_algorithm_by_name(Algorithm.HS256).prepare_key(form)
    except jwt.PyJWTError:
        message = "the secret is a public key, a certificate or a JWK; use publicKeyFile or jwks"
        raise InvalidKey(message) from None
    return Key(kid=kid, algorithm=Algorithm.HS256, material=material)


def public_keys(pem: bytes, *, kid: str = "") -> tuple[Key, ...]:
    """The key of a PEM `PUBLIC KEY`, once for each algorithm that it can be used with.

    RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519; InvalidKey for anything else.
    """
    try:
        material = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey("there is no PEM public key (BEGIN PUBLIC KEY)") from None
    algorithms = algorithms_of(material)
    return tuple(Key(kid=kid, algorithm=each, material=material) for each in algorithms)


def algorithms_of(material: object) -> Sequence[Algorithm]:
    """Those of a public key; InvalidKey for a weak one or of another kind."""
    match material:
        case RSAPublicKey():
            if not MIN_RSA_BITS <= material.key_size <= MAX_RSA_BITS:
                limits = f"{MIN_RSA_BITS} to {MAX_RSA_BITS}"
                raise InvalidKey(f"the RSA key has {material.key_size} bits; allowed are {limits}")
            return _OF_RSA
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return (Algorithm.ES256,)
        case EllipticCurvePublicKey(curve=SECP384R1()):
            return (Algorithm.ES384,)
        case EllipticCurvePublicKey(curve=SECP521R1()):
            return (Algorithm.ES512,)
        case Ed25519PublicKey():
            return (Algorithm.EDDSA,)
    raise InvalidKey("the key is none of RSA, P-256, P-384, P-521 or Ed25519")


def trimmed(secret: bytes) -> bytes:
    """A secret as it is in a file, without the line end that editors and `echo` leave."""
    return secret.rstrip(b"\r\n")
