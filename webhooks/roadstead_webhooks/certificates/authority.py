"""X.509: the webhooks' own authority, and their serving certificate.

ECDSA on P-256: every API server supports it, and handshakes are cheap.
"""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from roadstead.errors import InvalidKey

BACKDATED: Final = datetime.timedelta(minutes=5)
"""Certificates are valid from before their issue: an API server's clock may be behind."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = dataclasses.field(repr=False)

    @classmethod
    def parse(cls, certificate: bytes, key: bytes) -> Pair:
        """Parse PEM. Raises InvalidKey if either is invalid or they don't match."""
        try:
            found = x509.load_pem_x509_certificate(certificate)
            private = load_pem_private_key(key, password=None)
        except (ValueError, TypeError):
            raise InvalidKey("a certificate or its key is not PEM") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise InvalidKey("the key of a certificate is not an elliptic curve key")
        if found.public_key() != private.public_key():
            raise InvalidKey("a certificate and its key don't match")
        return cls(certificate=found, key=private)

    @property
    def issued_at(self) -> datetime.datetime:
        """When it was issued, in UTC."""
        return self.certificate.not_valid_before_utc + BACKDATED

    @property
    def expires_at(self) -> datetime.datetime:
        """When it expires, in UTC."""
        return self.certificate.not_valid_after_utc

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key as PKCS #8, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def has_issued(self, other: Pair) -> bool:
        """Return whether this authority has signed `other`'s certificate."""
        try:
            other.certificate.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    def names(self) -> tuple[str, ...]:
        """Return the DNS names and addresses of the certificate."""
        try:
            extension = self.certificate.extensions.get_extension_for_class(
                x509.SubjectAlternativeName
            )
        except x509.ExtensionNotFound:
            return ()
        return tuple(str(name.value) for name in extension.value)


def new_authority(now: datetime.datetime, lifetime: datetime.timedelta) -> Pair:
    """Create an authority that may only sign certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    # Verifiers find authorities by name, so every authority needs its own.
    serial = x509.random_serial_number()
    name = _name(f"roadstead-webhooks-ca-{serial:x}"[:40])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        _builder(name, name, key, now, lifetime)
        .serial_number(serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return Pair(certificate=builder.sign(key, hashes.SHA256()), key=key)


def issue(
    authority: Pair, names: Sequence[str], now: datetime.datetime, lifetime: datetime.timedelta
) -> Pair:
    """Issue a server's certificate for `names`, DNS names or IP addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    server_only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    issuer = authority.certificate.subject
    builder = (
        _builder(_name("roadstead-webhooks"), issuer, key, now, lifetime)
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(server_only, critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(n) for n in names]), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False
        )
    )
    return Pair(certificate=builder.sign(authority.key, hashes.SHA256()), key=key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime.datetime,
    lifetime: datetime.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
