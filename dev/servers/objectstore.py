"""An S3 server for tests and benchmarks: on 127.0.0.1, data in a folder."""

import contextlib
import dataclasses
import http.client
import os
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from dev.binaries import ensure
from dev.servers import process
from dev.servers.process import free_port

START_SECONDS = 120.0
HEALTH = "/_health"
"""Versitygw's; the path can't be that of a bucket."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """A running server and the files with its keys."""

    endpoint: str
    """`http[s]://127.0.0.1:PORT`"""
    access_key_file: Path
    secret_key_file: Path
    pid: int

    @property
    def access_key(self) -> str:
        """Its root user."""
        return self.access_key_file.read_text()

    @property
    def secret_key(self) -> str:
        """Its root user's password."""
        return self.secret_key_file.read_text()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certificate:
    """A server certificate for https, and the CA that a client has to trust."""

    certificate: Path
    key: Path
    authority: Path


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """Parameters of a server: folder, port, keys, and https if it has a certificate."""

    folder: Path
    port: int
    access_key: str
    secret_key: str
    certificate: Certificate | None
    domain: str = ""
    """Also serves buckets at `<bucket>.<domain>`."""

    @property
    def endpoint(self) -> str:
        """Its address once it runs."""
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """A kind of S3 server; `health` is a path that returns 200 once it is ready."""

    name: str
    health: str
    command: Callable[[Start], Sequence[str]]
    environ: Callable[[Start], Mapping[str, str]]


def _minio_command(start: Start) -> Sequence[str]:
    certificates = start.folder / "certs"
    if start.certificate is not None:
        certificates.mkdir(exist_ok=True)
        (certificates / "public.crt").write_bytes(start.certificate.certificate.read_bytes())
        (certificates / "private.key").write_bytes(start.certificate.key.read_bytes())
    return (
        *(str(ensure("minio")["minio"]), "server", "--quiet", "--certs-dir", str(certificates)),
        *("--address", f"127.0.0.1:{start.port}", "--console-address", f"127.0.0.1:{free_port()}"),
        str(start.folder / "data"),
    )


def _minio_environ(start: Start) -> Mapping[str, str]:
    return {
        "MINIO_ROOT_USER": start.access_key,
        "MINIO_ROOT_PASSWORD": start.secret_key,
        "MINIO_BROWSER": "off",
        **({"MINIO_DOMAIN": start.domain} if start.domain else {}),
    }


def _versitygw_command(start: Start) -> Sequence[str]:
    data, metadata = start.folder / "data", start.folder / "metadata"
    for folder in (data, metadata):
        folder.mkdir(exist_ok=True)
    shown = start.certificate
    tls = ("--cert", str(shown.certificate), "--key", str(shown.key)) if shown else ()
    domain = ("--virtual-domain", start.domain) if start.domain else ()
    return (
        *(str(ensure("versitygw")["versitygw"]), "--port", f"127.0.0.1:{start.port}", "--quiet"),
        *("--health", HEALTH, *tls, *domain),
        # The alternative, extended attributes, is not available on every file system.
        *("posix", "--sidecar", str(metadata), str(data)),
    )


def _versitygw_environ(start: Start) -> Mapping[str, str]:
    return {"ROOT_ACCESS_KEY": start.access_key, "ROOT_SECRET_KEY": start.secret_key}


MINIO = Server(
    name="minio",
    health="/minio/health/ready",
    command=_minio_command,
    environ=_minio_environ,
)
VERSITYGW = Server(
    name="versitygw", health=HEALTH, command=_versitygw_command, environ=_versitygw_environ
)


@contextlib.contextmanager
def running(
    folder: Path,
    server: Server = MINIO,
    *,
    port: int | None = None,
    certificate: Certificate | None = None,
    domain: str = "",
) -> Iterator[ObjectStore]:
    """Start a server with its data in `folder`; stop it on exit.

    Started again in the same folder, it has the same keys and data. Raises StepTimeout with the
    end of the log if it doesn't become ready.
    """
    folder.mkdir(parents=True, exist_ok=True)
    access, secret = folder / "access-key", folder / "secret-key"
    access.write_text("roadstead")
    if not secret.exists():
        secret.write_text(secrets.token_urlsafe(24))
    start = Start(
        folder=folder,
        port=port or free_port(),
        access_key=access.read_text(),
        secret_key=secret.read_text(),
        certificate=certificate,
        domain=domain,
    )
    base = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder)}
    log = folder / f"{server.name}.log"
    with process.running(
        f"{server.name} at {start.endpoint}",
        server.command(start),
        log,
        lambda: _answers(start, server),
        seconds=START_SECONDS,
        append=True,
        env={**base, **server.environ(start)},
    ) as started:
        yield ObjectStore(
            endpoint=start.endpoint,
            access_key_file=access,
            secret_key_file=secret,
            pid=started.pid,
        )


def _answers(start: Start, server: Server) -> bool:
    """MinIO reports ready before it serves objects: until then it answers 503 with Retry-After."""
    return _status(start, server.health) == 200 and _status(start, "/") != 503


def _status(start: Start, path: str) -> int:
    """The status of a GET, 0 without an answer."""
    netloc = urlsplit(start.endpoint).netloc
    connection = http.client.HTTPConnection(netloc, timeout=5)
    if start.certificate is not None:
        trusted = ssl.create_default_context(cafile=str(start.certificate.authority))
        connection = http.client.HTTPSConnection(netloc, timeout=5, context=trusted)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
