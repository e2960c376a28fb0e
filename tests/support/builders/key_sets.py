"""JWKS documents of the keys in builders."""

from __future__ import annotations

import json
from typing import Any

import jwt

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
