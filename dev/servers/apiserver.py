"""etcd and kube-apiserver as child processes, for tests against the real API.

There is no controller-manager: nothing is garbage-collected, namespaces are never removed,
Deployments get no status. Tests write the status of children themselves.

The flags are those of controller-runtime's envtest
(pkg/internal/testing/controlplane/apiserver.go); the API server creates its serving certificate.
"""

import contextlib
import dataclasses
import json
import secrets
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dev.servers import process
from dev.servers.process import answers, free_port

START_DEADLINE_SECONDS = 180.0
"""Generous, since a build may run on the machine at the same time."""
STOP_SECONDS = 10.0

AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "None", "users": ["system:apiserver"]},
        {"level": "Metadata"},
    ],
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ApiServer:
    """A running API server and an administrator's credentials for it."""

    url: str
    """`https://127.0.0.1:PORT`"""
    ca: Path
    """PEM file that verifies the server's certificate."""
    token: str = dataclasses.field(repr=False)
    """Bearer token of `admin`, who is in the group `system:masters`."""
    kubeconfig: Path
    """For kubectl and kopf; has the same token."""
    etcd_url: str
    """`http://127.0.0.1:PORT`, to check what is stored."""
    process: subprocess.Popen[bytes] = dataclasses.field(repr=False)
    """To pause or kill it in a test."""
    audit: Path
    """JSON lines: an `audit.k8s.io/v1` Event for each request that changed something."""

    @property
    def port(self) -> int:
        """Of `url`."""
        return int(self.url.rpartition(":")[2])


@contextlib.contextmanager
def running(
    binaries: Mapping[str, Path],
    folder: Path,
    *,
    flags: Sequence[str] = (),
    again: ApiServer | None = None,
) -> Iterator[ApiServer]:
    """Start both in `folder`, for data and logs; stop both on exit.

    `binaries` has `etcd` and `kube-apiserver`; `flags` are more flags of the latter. With `again`,
    a server that ran in this folder restarts with the same port and token. Raises StepTimeout
    with the end of the log if one of them does not become ready.
    """
    with _etcd(binaries["etcd"], folder) as etcd_url:
        token = again.token if again else secrets.token_urlsafe(32)
        port = again.port if again else free_port()
        command = _apiserver_command(binaries["kube-apiserver"], folder, etcd_url, port, token)
        command = [*command, *flags]
        log = folder / "kube-apiserver.log"
        url = f"https://127.0.0.1:{port}"
        ca = folder / "certificates" / "apiserver.crt"
        with process.running(
            "the API server",
            command,
            log,
            lambda: _healthy(f"{url}/readyz", ca, token),
            seconds=START_DEADLINE_SECONDS,
            stop_seconds=STOP_SECONDS,
            bound=True,
            cwd=folder,
        ) as started:
            kubeconfig = folder / "kubeconfig"
            kubeconfig.write_text(json.dumps(kubeconfig_content(url, ca, token)))
            kubeconfig.chmod(0o600)
            yield ApiServer(
                url=url,
                ca=ca,
                token=token,
                kubeconfig=kubeconfig,
                etcd_url=etcd_url,
                process=started,
                audit=folder / "audit.log",
            )


def kubeconfig_content(url: str, ca: Path, token: str) -> dict[str, object]:
    """A kubeconfig with one context, as JSON (which is YAML)."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [
            {"name": "test", "cluster": {"server": url, "certificate-authority": str(ca)}}
        ],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
    }


@contextlib.contextmanager
def _etcd(binary: Path, folder: Path) -> Iterator[str]:
    clients, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    log = folder / "etcd.log"
    command = [
        str(binary),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    with process.running(
        "etcd",
        command,
        log,
        lambda: answers(f"{clients}/health"),
        seconds=START_DEADLINE_SECONDS,
        stop_seconds=STOP_SECONDS,
        bound=True,
        cwd=folder,
    ):
        yield clients


def _apiserver_command(
    binary: Path, folder: Path, etcd_url: str, port: int, token: str
) -> Sequence[str]:
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{token},admin,admin,"system:masters"\n')
    private, public = _service_account_keys(folder)
    policy = folder / "audit-policy.json"
    policy.write_text(json.dumps(AUDIT_POLICY))
    return [
        str(binary),
        f"--etcd-servers={etcd_url}",
        f"--cert-dir={folder / 'certificates'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--token-auth-file={tokens}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={public}",
        f"--service-account-signing-key-file={private}",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={folder / 'audit.log'}",
    ]


def _service_account_keys(folder: Path) -> tuple[Path, Path]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "service-account.key", folder / "service-account.pub"
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def _healthy(url: str, ca: Path, token: str) -> bool:
    if not ca.exists():
        return False
    try:
        # Created for each attempt: the server may still be writing its certificate.
        context = ssl.create_default_context(cafile=ca)
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own address
        with urllib.request.urlopen(request, timeout=5, context=context) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
