"""`roadstead webhooks` as a child process, and its configuration."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dev.servers import process
from dev.servers.apiserver import ApiServer
from dev.servers.process import answers, free_ports
from roadstead.tokens.receipt_keys import SigningKey
from tests.support.builders.key_sets import odd_key_set
from tests.support.builders.tokens import prefixes
from tests.support.certificates import write_certificate

START_DEADLINE_SECONDS = 120.0
DEV_ISSUER = "roadstead-dev"
RSA_ISSUER = "https://rsa.example.com"
RSA_PREFIX = "rsa:"
"""Prefix of RSA_ISSUER's names; those of DEV_ISSUER have none."""
ROLES_ISSUER = "https://roles.example.com/realms/ai"
ROLES_PREFIX = "roles:"
"""Its tokens are signed with RSA_ISSUER's key, with groups in the claim that Keycloak uses."""
AUDIENCE = "roadstead"
SYSTEM = "roadstead-system"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folder:
    """Configuration and output of the webhooks."""

    path: Path
    secret: bytes = dataclasses.field(repr=False)
    rsa_key: rsa.RSAPrivateKey = dataclasses.field(repr=False)
    receipt_key: SigningKey = dataclasses.field(repr=False)

    @property
    def ca(self) -> bytes:
        """The CA of the serving certificate, PEM."""
        return (self.path / "tls" / "ca.crt").read_bytes()

    @property
    def review_secret(self) -> str:
        """The path segment after `/mutate/` and `/validate/`."""
        return (self.path / "review-paths" / "0").read_text()

    @property
    def logs(self) -> list[Path]:
        """The logs of all its processes."""
        return sorted(self.path.glob("webhooks-*.log"))

    @property
    def rsa_public(self) -> bytes:
        """The second issuer's public key, PEM."""
        return public_pem(self.rsa_key)


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    """SubjectPublicKeyInfo."""
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, public)


def prepare(path: Path) -> Folder:
    """Create secrets, issuers and a certificate for 127.0.0.1 below `path`."""
    made = Folder(
        path=path,
        secret=secrets.token_bytes(48),
        rsa_key=rsa.generate_private_key(public_exponent=65537, key_size=2048),
        receipt_key=SigningKey.generate(),
    )
    (path / "tls").mkdir()
    write_certificate(path / "tls")
    (path / "receipt-keys").mkdir()
    (path / "receipt-keys" / "0.pem").write_bytes(made.receipt_key.private_pem)
    (path / "review-paths").mkdir()
    (path / "review-paths" / "0").write_text(secrets.token_hex(32))
    (path / "secret").write_bytes(made.secret)
    (path / "rsa.pem").write_bytes(made.rsa_public)
    (path / "jwks.json").write_bytes(odd_key_set(made.rsa_key))
    second = {"issuer": RSA_ISSUER, "publicKeyFile": "rsa.pem", "keyId": "first"}
    third = {"issuer": ROLES_ISSUER, "jwksFile": "jwks.json", "groupsClaim": "realm_access.roles"}
    issuers = [
        {"issuer": DEV_ISSUER, "audience": AUDIENCE, "secretFile": "secret", **prefixes("")},
        {**second, "audience": AUDIENCE, **prefixes(RSA_PREFIX)},
        {**third, "audience": AUDIENCE, **prefixes(ROLES_PREFIX)},
    ]
    (path / "issuers.json").write_text(json.dumps(issuers))
    return made


@dataclasses.dataclass(frozen=True, kw_only=True)
class WebhookProcess:
    """A running webhooks process: its ports and the process."""

    port: int
    probe_port: int
    http_port: int
    process: subprocess.Popen[bytes] = dataclasses.field(repr=False)

    @property
    def ready(self) -> bool:
        """Whether its readiness probe succeeds."""
        return answers(f"http://127.0.0.1:{self.probe_port}/readyz")

    def metrics(self) -> str:
        """Its metrics page."""
        url = f"http://127.0.0.1:{self.http_port}/metrics"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return str(answer.read().decode())


@contextlib.contextmanager
def running_webhooks(
    server: ApiServer, folder: Folder, *, name: str, **environ: str
) -> Iterator[WebhookProcess]:
    """Run webhooks that are ready until the block ends; SIGTERM stops them."""
    port, probe_port, http_port = free_ports(3)
    settings = {
        "KUBECONFIG": str(server.kubeconfig),
        "HOSTNAME": name,
        "ROADSTEAD_HTTP_HOST": "127.0.0.1",
        "ROADSTEAD_HTTPS_PORT": str(port),
        "ROADSTEAD_PROBE_PORT": str(probe_port),
        "ROADSTEAD_HTTP_PORT": str(http_port),
        "ROADSTEAD_TLS_DIR": str(folder.path / "tls"),
        "ROADSTEAD_RECEIPT_KEYS_DIR": str(folder.path / "receipt-keys"),
        "ROADSTEAD_REVIEW_PATHS_DIR": str(folder.path / "review-paths"),
        "ROADSTEAD_TOKEN_ISSUERS_FILE": str(folder.path / "issuers.json"),
        "ROADSTEAD_SHUTDOWN_GRACE_SECONDS": "1",
        "ROADSTEAD_LOG_LEVEL": "debug",
        **environ,
    }
    log = folder.path / f"webhooks-{name}.log"
    with process.running(
        "the webhooks",
        [sys.executable, "-m", "roadstead", "webhooks"],
        log,
        functools.partial(answers, f"http://127.0.0.1:{probe_port}/readyz"),
        seconds=START_DEADLINE_SECONDS,
        env={**os.environ, **settings},
    ) as started:
        yield WebhookProcess(port=port, probe_port=probe_port, http_port=http_port, process=started)
