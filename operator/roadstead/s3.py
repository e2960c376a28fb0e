"""Addressing and credentials of S3 servers, for the store and for sources."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials as MinioCredentials
from minio.credentials.providers import Provider
from urllib3.connection import HTTPSConnection

from roadstead.authorities import Authorities
from roadstead.settings import EnvReader

_READS: Final = 5


class Addressing(enum.Enum):
    """Where a request's URL has the bucket."""

    PATH = "path"
    """`https://store/bucket/key`."""
    VIRTUAL_HOST = "virtualHost"
    """`https://bucket.store/key`."""

    @classmethod
    def read(cls, env: EnvReader, name: str, endpoints: tuple[str, ...]) -> Addressing:
        """Read it from the environment; `endpoints` are the servers that it applies to."""
        chosen = cls(env.choice(name, [each.value for each in cls], cls.PATH.value))
        if chosen is cls.VIRTUAL_HOST and any(_is_address(each) for each in endpoints):
            env.fault(
                name,
                "virtualHost requires an endpoint with a host name, not an IP address: use a host "
                "name whose subdomains resolve to the store, or write path",
            )
        return chosen

    def locate(self, endpoint: SplitResult, bucket: str) -> tuple[str, str]:
        """Return host and port, as in a URL, and the path prefix of requests for a bucket.

        As in minio-py, a bucket with dots is addressed by path over https: a certificate for
        `*.store` does not cover its name.
        """
        dotted = "." in bucket and endpoint.scheme == "https"
        if self is Addressing.PATH or dotted:
            return endpoint.netloc, f"/{bucket}"
        return f"{bucket}.{endpoint.netloc}", ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class S3Credentials:
    """An access key, its secret, and the session token; a repr contains none of them."""

    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)
    session_token: str = dataclasses.field(default="", repr=False)
    """Empty for permanent keys."""

    def for_minio(self) -> MinioCredentials:
        """Convert to credentials of minio-py."""
        return MinioCredentials(self.access_key, self.secret_key, self.session_token or None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class KeyFiles:
    """The files of an S3 server's keys: a mounted Secret may change during a read."""

    access_key: Path
    secret_key: Path
    session_token: Path | None = None
    """May be missing: then the keys are permanent."""

    def read(self) -> S3Credentials:
        """Read the current keys, all of one session; raises OSError."""
        found = self._read()
        for _ in range(_READS):
            again = self._read()
            if again == found:
                break
            found = again
        return found

    def _read(self) -> S3Credentials:
        token = ""
        if self.session_token is not None:
            with contextlib.suppress(FileNotFoundError):
                token = _text(self.session_token)
        return S3Credentials(
            access_key=_text(self.access_key),
            secret_key=_text(self.secret_key),
            session_token=token,
        )


class CurrentKeys(Provider):
    """Provides keys to minio-py for each request: temporary ones expire during its lifetime."""

    def __init__(self, read: Callable[[], S3Credentials]) -> None:
        self._read = read

    def retrieve(self) -> MinioCredentials:
        """Return the current keys; raises the errors of reading them."""
        return self._read().for_minio()


class TrustingConnection(HTTPSConnection):
    """A connection that trusts the current authorities: its pool lives as long as the process."""

    authorities: Authorities

    def connect(self) -> None:
        """Connect with the context of this moment."""
        self.ssl_context = self.authorities.context()
        super().connect()


def trusting_pools(authorities: Authorities, *, read_seconds: float) -> urllib3.PoolManager:
    """Return urllib3's pools for a client of an S3 server."""

    class Encrypted(TrustingConnection):
        pass

    Encrypted.authorities = authorities

    class EncryptedPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Encrypted

    pools = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5, read=read_seconds),
        retries=urllib3.Retry(total=5, backoff_factor=0.2, status_forcelist=(500, 502, 503, 504)),
        ssl_context=authorities.context(),
    )
    pools.pool_classes_by_scheme = {"http": urllib3.HTTPConnectionPool, "https": EncryptedPool}
    return pools


def client(
    endpoint: str,
    *,
    region: str,
    addressing: Addressing,
    read: Callable[[], S3Credentials],
    pools: urllib3.PoolManager,
) -> Minio:
    """Create a minio-py client for `endpoint`, with the keys that `read` returns."""
    parts = urlsplit(endpoint)
    made = Minio(
        parts.netloc,
        credentials=CurrentKeys(read),
        secure=parts.scheme == "https",
        region=region,
        http_client=pools,
    )
    # Set explicitly: by default minio-py chooses by the host's name.
    if addressing is Addressing.VIRTUAL_HOST:
        made.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    else:
        made.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]
    return made


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


def _is_address(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return True
    try:
        # Resolvers also accept 127.1 and 0x7f000001.
        socket.inet_aton(host)
    except OSError:
        return False
    return True
