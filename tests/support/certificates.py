"""Certificates for 127.0.0.1: signed by a CA, or self-signed."""

import dataclasses
import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dev.servers.objectstore import Certificate

LIFETIME = datetime.timedelta(hours=2)


@dataclasses.dataclass(frozen=True)
class Authority:
    """A CA for several servers."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls) -> Self:
        """Create a CA."""
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(key, _authority(key))

    @property
    def pem(self) -> str:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, folder: Path, *names: str) -> Certificate:
        """Write a certificate for 127.0.0.1 and `names`, and the CA, to `folder` as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _leaf(key.public_key(), self.certificate, self.key, name="127.0.0.1", names=names)
        pem = serialization.Encoding.PEM
        folder.mkdir(parents=True, exist_ok=True)
        found = Certificate(
            certificate=folder / "server.crt",
            key=folder / "server.key",
            authority=folder / "authority.crt",
        )
        found.certificate.write_bytes(leaf.public_bytes(pem))
        found.authority.write_text(self.pem)
        plain = serialization.NoEncryption()
        found.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        return found


def issue(folder: Path) -> Certificate:
    """Write a new CA and a server certificate to `folder` as PEM."""
    return Authority.create().issue(folder)


def issue_clients(folder: Path, *names: str) -> Path:
    """Write `NAME.crt` and `NAME.key` for each common name; returns the CA certificate."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key)
    pem = serialization.Encoding.PEM
    plain, form = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _leaf(key.public_key(), authority, authority_key, name=name)
        (folder / f"{name}.crt").write_bytes(leaf.public_bytes(pem))
        (folder / f"{name}.key").write_bytes(key.private_bytes(pem, form, plain))
    found = folder / "clients.crt"
    found.write_bytes(authority.public_bytes(pem))
    return found


def _authority(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("Roadstead test authority")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    key: ec.EllipticCurvePublicKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    *,
    name: str,
    names: Sequence[str] = (),
) -> x509.Certificate:
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    shown = [address, *map(x509.DNSName, names)]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(_name(name), authority.subject, key)
        .add_extension(x509.SubjectAlternativeName(shown), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - LIFETIME)
        .not_valid_after(now + LIFETIME)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def write_certificate(folder: Path, *, days: int = 1) -> None:
    """Write a self-signed certificate: `ca.crt`, `tls.crt`, `tls.key`; expired if days < 0."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhooks")])
    now = datetime.datetime.now(datetime.UTC)
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=7))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8
    (folder / "tls.key").write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    for file in ("tls.crt", "ca.crt"):
        (folder / file).write_bytes(certificate.public_bytes(pem))
