"""A MinIO of one's own, for tests and benchmarks: on a free port of 127.0.0.1, data in a folder."""

import contextlib
import dataclasses
import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from dev.binaries import ensure

START_SECONDS = 60.0
STOP_SECONDS = 20.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """A running MinIO and the files that hold its keys."""

    endpoint: str
    """`http://127.0.0.1:PORT`"""
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


@contextlib.contextmanager
def running(folder: Path) -> Iterator[ObjectStore]:
    """Start a MinIO that keeps its data in `folder`; it ends on the way out.

    Raises RuntimeError with the end of the log where it doesn't come up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    access, secret = folder / "access-key", folder / "secret-key"
    access.write_text("roadstead")
    secret.write_text(secrets.token_urlsafe(24))
    port = free_port()
    command = [
        *(str(ensure("minio")["minio"]), "server", "--quiet"),
        *("--address", f"127.0.0.1:{port}", "--console-address", f"127.0.0.1:{free_port()}"),
        str(folder / "data"),
    ]
    environ = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "MINIO_ROOT_USER": access.read_text(),
        "MINIO_ROOT_PASSWORD": secret.read_text(),
        "MINIO_BROWSER": "off",
    }
    log = folder / "minio.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait(process, endpoint, log)
        yield ObjectStore(
            endpoint=endpoint, access_key_file=access, secret_key_file=secret, pid=process.pid
        )
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def _wait(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{endpoint}/minio/health/ready", timeout=5):  # noqa: S310 - our own
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise RuntimeError(f"MinIO did not come up at {endpoint}; the end of {log}:\n{tail}")
