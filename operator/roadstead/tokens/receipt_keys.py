"""The webhooks' keys for receipts, as stored in Secret and ConfigMap: PEM by key id."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from roadstead.errors import InvalidKey


@dataclasses.dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key and its id, which is derived from the public key."""

    key_id: str
    private: Ed25519PrivateKey = dataclasses.field(repr=False)

    @classmethod
    def generate(cls) -> SigningKey:
        """Generate a key."""
        return cls.of(Ed25519PrivateKey.generate())

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> SigningKey:
        """Return the key with its id."""
        return cls(key_id=key_id(private.public_key()), private=private)

    @classmethod
    def parse(cls, pem: bytes) -> SigningKey:
        """Parse a PKCS #8 PEM; raises InvalidKey if it isn't an Ed25519 key."""
        try:
            private = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise InvalidKey("expected a PEM private key (BEGIN PRIVATE KEY)") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise InvalidKey("the key for receipts is not an Ed25519 key")
        return cls.of(private)

    @property
    def private_pem(self) -> bytes:
        """PKCS #8, not encrypted."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public_pem(self) -> bytes:
        """SubjectPublicKeyInfo."""
        public = self.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(public: Ed25519PublicKey) -> str:
    """Return the first 16 hex digits of the sha256 of the raw public key."""
    return hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def public_keys(data: Mapping[str, str]) -> dict[str, Ed25519PublicKey]:
    """Parse a ConfigMap's `data`, PEM by key id; raises InvalidKey with the invalid entry."""
    return {kid: _parse_public_key(kid, pem.encode()) for kid, pem in data.items()}


def _parse_public_key(kid: str, pem: bytes) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidKey(f"{kid} is not a PEM public key") from None
    if not isinstance(key, Ed25519PublicKey) or key_id(key) != kid:
        raise InvalidKey(f"{kid} is not the Ed25519 key with that id")
    return key
