"""Reading a JSON Web Key Set (RFC 7517): what is of use in it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jwt

from roadstead.errors import InvalidKey
from roadstead.tokens.keys import Algorithm, Key, KeySet, algorithms_of
from roadstead.tokens.parsing import valid_key_id
from roadstead.tokens.strictjson import loads_object

MAX_JWKS_BYTES: Final = 64 * 1024
MAX_KEYS: Final = 100
_ALGORITHM_OF_KIND: Final = {
    ("RSA", ""): Algorithm.RS256,
    ("EC", "P-256"): Algorithm.ES256,
    ("EC", "P-384"): Algorithm.ES384,
    ("EC", "P-521"): Algorithm.ES512,
    ("OKP", "Ed25519"): Algorithm.EDDSA,
}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def parse_jwks(data: bytes) -> KeySet:
    """The usable signature keys of a set; InvalidKey if it is no set or holds none.

    Keys of other kinds, uses and algorithms, and entries that are no keys, are passed over, as RFC
    7517, 5 has it. A set with a private or symmetric key is refused: who publishes it has lost it.
    """
    if len(data) > MAX_JWKS_BYTES:
        raise InvalidKey(f"the key set has more than {MAX_JWKS_BYTES} bytes")
    try:
        entries = loads_object(data).get("keys")
    except ValueError as error:
        raise InvalidKey(f"the key set {error}") from None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise InvalidKey(f"the key set has no list of keys, or more than {MAX_KEYS}")
    dicts = [entry for entry in entries if isinstance(entry, dict)]
    if any(_PRIVATE & entry.keys() for entry in dicts):
        raise InvalidKey("the key set publishes a private or symmetric key")
    return KeySet.of(key for entry in dicts for key in _keys(entry))


def _keys(entry: Mapping[str, Any]) -> Iterator[Key]:
    """The key of an entry, once for each algorithm that it may be used with; none if unusable."""
    # Some issuers write null for what is not there.
    given = {name: value for name, value in entry.items() if value is not None}
    kid, named = given.get("kid", ""), given.get("alg")
    material = _material(given) if _signs(given) and (kid == "" or valid_key_id(kid)) else None
    if material is None:
        return
    for algorithm in algorithms_of(material):
        if named in (None, algorithm, _fully_specified(algorithm)):
            yield Key(kid=kid, algorithm=algorithm, material=material)


def _material(given: Mapping[str, Any]) -> object | None:
    kind, curve = given.get("kty"), given.get("crv", "")
    if not isinstance(kind, str) or not isinstance(curve, str):
        return None
    algorithm = _ALGORITHM_OF_KIND.get((kind, curve))
    if algorithm is None:
        return None
    try:
        material: object = jwt.PyJWK.from_dict(dict(given), algorithm=algorithm).key
        algorithms_of(material)
    except (jwt.PyJWTError, InvalidKey, ValueError, TypeError):
        return None
    return material


def _signs(given: Mapping[str, Any]) -> bool:
    """Whether it is for signatures, as far as the entry says."""
    operations = given.get("key_ops", ["verify"])
    return (
        given.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )


def _fully_specified(algorithm: Algorithm) -> str:
    """RFC 9864 names EdDSA with Ed25519 `Ed25519`; sets may have either name."""
    return "Ed25519" if algorithm is Algorithm.EDDSA else algorithm
