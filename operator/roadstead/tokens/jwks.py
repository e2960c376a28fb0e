"""Reading a JSON Web Key Set (RFC 7517): what is of use in it, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import jwt

from roadstead.errors import InvalidKey
from roadstead.tokens.keys import Algorithm, Key, KeySet, algorithm_of
from roadstead.tokens.parsing import valid_key_id
from roadstead.tokens.strictjson import loads_object

MAX_JWKS_BYTES: Final = 64 * 1024
MAX_KEYS: Final = 100
_ALGORITHM_OF_KIND: Final = {
    ("RSA", ""): Algorithm.RS256,
    ("EC", "P-256"): Algorithm.ES256,
    ("OKP", "Ed25519"): Algorithm.EDDSA,
}
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def parse_jwks(data: bytes) -> KeySet:
    """The usable signature keys of a set; InvalidKey if it is no set or holds none.

    Keys of other kinds, uses and algorithms are passed over, as RFC 7517, 5 has it. A set with a
    private or symmetric key is refused: who publishes it has lost it.
    """
    if len(data) > MAX_JWKS_BYTES:
        raise InvalidKey(f"the key set has more than {MAX_JWKS_BYTES} bytes")
    try:
        entries = loads_object(data).get("keys")
    except ValueError as error:
        raise InvalidKey(f"the key set {error}") from None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise InvalidKey(f"the key set has no list of keys, or more than {MAX_KEYS}")
    found = (_key(entry) for entry in entries if isinstance(entry, dict))
    return KeySet.of(key for key in found if key is not None)


def _key(entry: Mapping[str, Any]) -> Key | None:
    if _PRIVATE & entry.keys():
        raise InvalidKey("the key set publishes a private or symmetric key")
    kid = entry.get("kid", "")
    algorithm = _algorithm(entry)
    if algorithm is None or not (kid == "" or valid_key_id(kid)):
        return None
    try:
        material = jwt.PyJWK.from_dict(dict(entry), algorithm=algorithm).key
        if algorithm_of(material) is not algorithm:
            return None
    except (jwt.PyJWTError, InvalidKey, ValueError, TypeError):
        return None
    return Key(kid=kid, algorithm=algorithm, material=material)


def _algorithm(entry: Mapping[str, Any]) -> Algorithm | None:
    kind, curve = entry.get("kty"), entry.get("crv", "")
    if not isinstance(kind, str) or not isinstance(curve, str):
        return None
    algorithm = _ALGORITHM_OF_KIND.get((kind, curve))
    operations = entry.get("key_ops", ["verify"])
    fits = (
        entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) in (algorithm, _fully_specified(algorithm))
        and isinstance(operations, list)
        and "verify" in operations
    )
    return algorithm if fits else None


def _fully_specified(algorithm: Algorithm | None) -> str | None:
    """RFC 9864 names EdDSA with Ed25519 `Ed25519`; sets may have either name."""
    return "Ed25519" if algorithm is Algorithm.EDDSA else algorithm
