"""The cluster's certificate authority and the certificates of its processes.

They are created for each cluster, so nothing has to be renewed or revoked.
"""

import datetime as dt
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dev.cluster.layout import API_SERVICE_IP, NODE, NODE_IP

LIFETIME = dt.timedelta(days=365)
CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The identity in a certificate: Kubernetes reads user and groups from it (CN and O)."""

    user: str
    group: str = ""
    hosts: Sequence[str] = ()
    """DNS names and addresses of a server."""


SUBJECTS: Mapping[str, Subject] = MappingProxyType(
    {
        "apiserver": Subject(
            user="kube-apiserver",
            hosts=(
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "127.0.0.1",
                API_SERVICE_IP,
                NODE_IP,
            ),
        ),
        "gateway": Subject(user="gateway", hosts=("localhost", "127.0.0.1")),
        "admin": Subject(user="admin", group="system:masters"),
        "kubelet": Subject(
            user=f"system:node:{NODE}", group="system:nodes", hosts=(NODE, "127.0.0.1", NODE_IP)
        ),
        "controller-manager": Subject(user="system:kube-controller-manager"),
        "scheduler": Subject(user="system:kube-scheduler"),
        "proxy": Subject(user="system:kube-proxy"),
    }
)


class Authority:
    """Signs certificates; later only the controller manager needs its key (CSRs)."""

    def __init__(self, *, now: dt.datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "roadstead-dev")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(constraints, critical=True)
            .add_extension(_key_usage(sign_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pair = Pair(certificate=_pem(self._certificate), key=private_pem(self._key))

    def issue(self, subject: Subject) -> Pair:
        """A certificate for a client, and for a server if the subject has hosts."""
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(_name(subject), key.public_key())
        if subject.hosts:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
            names = x509.SubjectAlternativeName([_host(host) for host in subject.hosts])
            builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(_key_usage(sign_certificates=False), critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        return Pair(certificate=_pem(certificate), key=private_pem(key))

    def _builder(
        self, name: x509.Name, public_key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - CLOCK_SKEW)
            .not_valid_after(self._now + LIFETIME)
        )


def issue_all(folder: Path, *, now: dt.datetime) -> dict[str, Pair]:
    """Write `<name>.crt` and `<name>.key` for the authority and each subject, and sa.key, sa.pub.

    sa is the key that signs service account tokens.
    """
    authority = Authority(now=now)
    pairs = {"ca": authority.pair}
    pairs |= {name: authority.issue(subject) for name, subject in SUBJECTS.items()}
    for name, pair in pairs.items():
        (folder / f"{name}.crt").write_bytes(pair.certificate)
        _write_key(folder / f"{name}.key", pair.key)
    signer = ec.generate_private_key(ec.SECP256R1())
    _write_key(folder / "sa.key", private_pem(signer))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = signer.public_key().public_bytes(serialization.Encoding.PEM, form)
    (folder / "sa.pub").write_bytes(public)
    return pairs


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """SEC 1 ("EC PRIVATE KEY"), the form that all of Kubernetes can read for service accounts."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _write_key(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _name(subject: Subject) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, subject.user)]
    if subject.group:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, subject.group))
    return x509.Name(parts)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
