"""Parses a JSON Web Key Set (RFC 7517) and keeps its usable keys."""

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
    """Return the usable signature keys of a set; raises InvalidKey if there are none.

    Keys of other kinds, uses and algorithms, and entries that aren't keys, are ignored (RFC 7517,
    5). A set with a private or symmetric key is refused: a published key is compromised.
    """
    if len(data) > MAX_JWKS_BYTES:
        raise InvalidKey(f"the key set has more than {MAX_JWKS_BYTES} bytes")
    try:
        entries = loads_object(data).get("keys")
    except ValueError as error:
        raise InvalidKey(f"the key set {error}") from None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise InvalidKey(f"the key set has no list of keys, or more than {MAX_KEYS} keys")
    dicts = [entry for entry in entries if isinstance(entry, dict)]
    if any(_PRIVATE & entry.keys() for entry in dicts):
        raise InvalidKey("the key set contains a private or symmetric key")
    return KeySet.of(key for entry in dicts for key in _parse_keys(entry))


def _parse_keys(entry: Mapping[str, Any]) -> Iterator[Key]:
    """Return the key of an entry, once for each algorithm it may be used with; none if unusable."""
    # Some issuers write null for absent members.
    given = {name: value for name, value in entry.items() if value is not None}
    kid, algorithm_name = given.get("kid", ""), given.get("alg")
    material = (
        _parse_material(given)
        if _is_for_signatures(given) and (kid == "" or valid_key_id(kid))
        else None
    )
    if material is None:
        return
    for algorithm in algorithms_of(material):
        if algorithm_name in (None, algorithm, _fully_specified(algorithm)):
            yield Key(kid=kid, algorithm=algorithm, material=material)


def _parse_material(given: Mapping[str, Any]) -> object | None:
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


def _is_for_signatures(given: Mapping[str, Any]) -> bool:
    """Whether the entry allows that the key verifies signatures."""
    operations = given.get("key_ops", ["verify"])
    return (
        given.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )


def _fully_specified(algorithm: Algorithm) -> str:
    """Return the name of RFC 9864 (`Ed25519` for EdDSA); sets may use either name."""
    return "Ed25519" if algorithm is Algorithm.EDDSA else algorithm
