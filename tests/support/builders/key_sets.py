"""JWKS documents with the keys of the builders."""

from __future__ import annotations

import json
from typing import Any

import jwt
import jwt.algorithms
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.builders.tokens import private_key


def entry(algorithm: str, name: str = "first", **changes: Any) -> dict[str, Any]:
    """A key of a JWKS."""
    public: Any = private_key(algorithm, name)
    signer: Any = jwt.PyJWS().get_algorithm_by_name(algorithm)
    values: dict[str, Any] = signer.to_jwk(public.public_key(), as_dict=True)
    values.pop("key_ops", None)
    return {**values, "use": "sig", "alg": algorithm, **changes}


def document(*entries: Any) -> bytes:
    """A JWKS."""
    return json.dumps({"keys": list(entries)}).encode()


def odd_key_set(private: rsa.RSAPrivateKey) -> bytes:
    """A usable key, twice and for two algorithms, among unusable entries."""
    key = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    used = {"kty": "RSA", "n": key["n"], "e": key["e"], "use": "sig", "kid": "public:hydra/id"}
    return document(
        {**used, "alg": "RSA-OAEP", "use": "enc"},
        {"kty": "EC", "crv": "secp256k1", "kid": "other"},
        {**used, "alg": "RS512"},
        {**used, "alg": "RS512"},
        {**used, "alg": None},
        None,
    )
